/** For Hono 4, on Node. */
import type { Authenticated, Rules } from "../authenticate.js";
import type { Portico } from "../portico.js";

/** What the guard sets for the next handlers: `c.get("user")`, `c.get("session")`. */
export interface Guarded {
  Variables: Pick<Authenticated, "user" | "session">;
}

/** The parts of Hono's context that are used here. */
export interface HonoContext {
  req: { raw: Request };
  set(name: string, value: unknown): void;
  header(name: string, value: string, options: { append: boolean }): void;
}

/** Middleware that lets users in. */
export function guard(portico: Portico, rules: Rules = {}) {
  return async (c: HonoContext, next: () => Promise<void>): Promise<Response | void> => {
    const found = await portico.authenticate(c.req.raw, rules);
    if (found instanceof Response) return found;
    c.set("user", found.user);
    c.set("session", found.session);
    await next();
    for (const cookie of found.setCookies) c.header("set-cookie", cookie, { append: true });
  };
}

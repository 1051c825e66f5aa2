/** For Next.js route handlers, in the Node runtime: the edge runtime has no sockets. */
import type { Authenticated, Rules } from "../authenticate.js";
import type { Portico } from "../portico.js";

/** A route handler that gets the user. */
export type GuardedHandler<C> = (request: Request, found: Authenticated, context: C) => Response | Promise<Response>;

/** Makes a route handler that only users reach: `export const GET = guard(portico, {}, (request, { user }) => …)`. */
export function guard<C>(portico: Portico, rules: Rules, handler: GuardedHandler<C>) {
  return async (request: Request, context: C): Promise<Response> => {
    const found = await portico.authenticate(request, rules);
    if (found instanceof Response) return found;
    const answer = await handler(request, found, context);
    if (found.setCookies.length === 0) return answer;
    // The headers of some responses cannot be changed (Response.redirect).
    const headers = new Headers(answer.headers);
    for (const cookie of found.setCookies) headers.append("set-cookie", cookie);
    return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
  };
}

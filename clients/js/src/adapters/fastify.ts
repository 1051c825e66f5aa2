/** For Fastify 5. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { Authenticated, Rules } from "../authenticate.js";
import type { Portico } from "../portico.js";
import { toWeb } from "./node.js";

/** The parts of Fastify's request that are used here. */
export interface FastifyRequestLike {
  raw: IncomingMessage;
}

/** The parts of Fastify's reply that are used here. */
export interface FastifyReplyLike {
  raw: ServerResponse;
  header(name: string, value: string): unknown;
  send(payload: unknown): unknown;
}

/** The parts of Fastify's instance that are used here. */
export interface FastifyLike {
  hasRequestDecorator(name: string): boolean;
  decorateRequest(name: string, value: null): unknown;
  addHook(name: "onRequest", hook: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>): unknown;
}

/** The fields that the guard adds to a request: `request.user`, `request.session`. */
export type Guarded = Pick<Authenticated, "user" | "session">;

/** A plugin that guards the routes of the scope in which you register it: `app.register(guard(portico))`. */
export function guard(portico: Portico, rules: Rules = {}): (app: FastifyLike) => Promise<void> {
  const plugin = async (app: FastifyLike): Promise<void> => {
    for (const name of ["user", "session"]) if (!app.hasRequestDecorator(name)) app.decorateRequest(name, null);
    app.addHook("onRequest", async (request, reply) => {
      const web = toWeb(request.raw, reply.raw);
      const found = web ? await portico.authenticate(web, rules) : new Response(null, { status: 400 });
      if (found instanceof Response) return reply.send(found);
      for (const cookie of found.setCookies) reply.header("set-cookie", cookie);
      const { user, session }: Guarded = found;
      return void Object.assign(request, { user, session });
    });
  };
  // Without this, the hook would apply to a scope of the plugin's own, which has no routes (fastify-plugin).
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}

/** A handler of Fastify from one of the Web: `app.post("/sign-out", serve((request) => signIn.signOut(request)))`. */
export function serve(handler: (request: Request) => Promise<Response>) {
  return async (request: FastifyRequestLike, reply: FastifyReplyLike): Promise<unknown> => {
    const web = toWeb(request.raw, reply.raw);
    return reply.send(web ? await handler(web) : new Response(null, { status: 400 }));
  };
}

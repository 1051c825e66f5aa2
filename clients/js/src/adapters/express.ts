/** For Express 5. */
import type { ServerResponse } from "node:http";

import type { Rules } from "../authenticate.js";
import type { Portico } from "../portico.js";
import { type NodeRequest, send, toWeb } from "./node.js";

/** The parts of Express's response that are used here. */
export type ExpressResponse = ServerResponse & { locals: Record<string, any> };

/** A handler or middleware of Express. */
export type ExpressHandler = (request: NodeRequest, response: ExpressResponse, next: () => void) => Promise<void>;

/** Lets users in. The next handlers find them in `res.locals.user`, and their session in `res.locals.session`. */
export function guard(portico: Portico, rules: Rules = {}): ExpressHandler {
  return async (req, res, next) => {
    const request = toWeb(req, res);
    if (request === undefined) return send(new Response(null, { status: 400 }), res);
    const found = await portico.authenticate(request, rules);
    if (found instanceof Response) return send(found, res);
    for (const cookie of found.setCookies) res.appendHeader("set-cookie", cookie);
    res.locals["user"] = found.user;
    res.locals["session"] = found.session;
    next();
  };
}

/** A handler of Express from one of the Web: `app.post("/sign-out", serve((request) => signIn.signOut(request)))`. */
export function serve(handler: (request: Request) => Promise<Response>): ExpressHandler {
  return async (req, res) => {
    const request = toWeb(req, res);
    await send(request === undefined ? new Response(null, { status: 400 }) : await handler(request), res);
  };
}

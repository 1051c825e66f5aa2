/** What a sign-in page needs of the server: open a login, wait for it, and sign out. */
import { readFile } from "node:fs/promises";

import { accessCookie, isAboutUser, refuse, setUpError, tokensOf } from "./authenticate.js";
import { isFromAnotherSite, safePath } from "./browser.js";
import { ACCESS_COOKIE, LOGIN_COOKIE, WALLET_COOKIE, dropCookie, setCookie } from "./cookies.js";
import { PorticoError } from "./errors.js";
import type { EventPage } from "./events.js";
import { resultOf, stepOf } from "./login.js";
import { nameOf, OpenedLogins } from "./opened.js";
import type { Portico } from "./portico.js";
import type { OpenedLogin } from "./types.js";

/** Seconds that `wait` waits: less than what proxies allow. */
const PAGE_WAIT = 25;

/** How sign-in works. */
export interface SignInOptions {
  /**
   * Signs the cookie that says which login a browser has opened. If several processes serve your app, give all of them
   * the same secret, at least 32 bytes; by default each process makes its own.
   */
  secret?: string | Uint8Array;
  /** The address of your app, like `https://shop.example`, if a proxy changes `Host`. */
  origin?: string;
}

/** A login for one browser. */
export interface BrowserLogin {
  /** What the QR code holds, and the link that opens the wallet on this device. */
  url: string;
  /** Send it as `Set-Cookie` with the page. Only the browser that has it gets the result. */
  cookie: string;
  /** Which login the page asks for: `wait?login=`. No secret. */
  id: string;
}

/** Signs browsers in and out, with cookies. It keeps nothing in memory. */
export class SignIn {
  readonly #portico: Portico;
  readonly #opened: OpenedLogins;
  readonly #origin: string | undefined;

  /** Throws `PorticoError` with the code `bad_options`. */
  constructor(portico: Portico, options: SignInOptions = {}) {
    this.#portico = portico;
    this.#opened = new OpenedLogins(options.secret);
    this.#origin = options.origin;
  }

  /**
   * Opens a login for the browser that asks for the sign-in page. `cookies` is its `Cookie` header: other tabs may have
   * logins of their own.
   */
  async begin(cookies: string | null | undefined): Promise<BrowserLogin> {
    const { url, stream_id } = (await this.#portico.call("POST", "/login", { body: {} })) as OpenedLogin;
    const others = this.#opened.read(cookies).values();
    return { url, cookie: this.#opened.write([...others, stream_id]), id: nameOf(stream_id) };
  }

  /**
   * What happened to a login of this browser, `?login=` its id, behind `&after=N`, as JSON: a `LoginStep`, or
   * `{"step":"waiting"}` after 25 s. The answer to an approval sets the cookies of the session. Only `POST`, and only
   * from your own pages.
   */
  async wait(request: Request): Promise<Response> {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refusal;
    const { searchParams: query } = new URL(request.url);
    const logins = this.#opened.read(request.headers.get("cookie"));
    const name = query.get("login") ?? "";
    const id = logins.get(name);
    if (id === undefined) return refuse(400, "no_login");
    logins.delete(name);
    const others = this.#opened.write(logins.values());
    try {
      return told(await this.#page(id, indexIn(query), request.signal), others);
    } catch (error) {
      // The browser has left, so nobody reads this.
      if (request.signal.aborted) return refuse(503, "try_again_later");
      if (!(error instanceof PorticoError)) throw error;
      if (error.code === "no_such_stream") return refuse(400, "no_login", [others]);
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      throw setUpError(error);
    }
  }

  /** The module `portico-client/page` for the browser: its `watch` asks what `wait` answers. */
  async script(): Promise<Response> {
    const headers = { "content-type": "text/javascript; charset=utf-8", "cache-control": "max-age=3600" };
    return new Response(await readFile(new URL("./page.js", import.meta.url)), { headers });
  }

  /** Ends the session of this browser and sends it to `to`, a path of your site. Only `POST`, from your own pages. */
  async signOut(request: Request, to = "/"): Promise<Response> {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refusal;
    const { access_token, credential } = tokensOf(request) ?? {};
    try {
      // The credential ends the session also if the access token is none of ours.
      const isEnded = access_token !== undefined && (await this.#logout({ access_token }));
      if (!isEnded && credential !== undefined) await this.#logout({ credential });
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      // The session goes on, so the browser keeps its cookies and can ask again.
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      throw setUpError(error);
    }
    const headers = new Headers({ location: safePath(to), "cache-control": "no-store" });
    for (const name of [ACCESS_COOKIE, WALLET_COOKIE, LOGIN_COOKIE]) headers.append("set-cookie", dropCookie(name));
    return new Response(null, { status: 303, headers });
  }

  /** `false`: there is no session that this token could end. */
  async #logout(shown: { access_token: string } | { credential: string }): Promise<boolean> {
    try {
      await this.#portico.logout(shown);
      return true;
    } catch (error) {
      if (error instanceof PorticoError && isAboutUser(error)) return false;
      throw error;
    }
  }

  #refusalOf(request: Request): Response | undefined {
    if (request.method !== "POST") return refuse(405, "method_not_allowed");
    return isFromAnotherSite(request, this.#origin) ? refuse(403, "cross_site_request") : undefined;
  }

  /** A page that is left has read all of a login that has ended: it is told the end again. */
  async #page(id: string, after: number, signal: AbortSignal): Promise<EventPage> {
    const page = await this.#portico.readEvents(id, { after, wait: PAGE_WAIT, signal });
    return page.ended && page.events.length === 0 ? this.#portico.readEvents(id, { signal }) : page;
  }
}

/** The latest step, and with an approval the cookies. At the end, the browser keeps the cookie of its other logins. */
function told(page: EventPage, others: string): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  const event = page.events.at(-1);
  if (event === undefined) return Response.json({ step: "waiting" }, { headers });
  const result = resultOf(event);
  if (result !== undefined) headers.append("set-cookie", others);
  if (result?.outcome === "approved") {
    const { login, session_token, claims } = result;
    if (login === undefined) {
      throw new PorticoError("sessions_off", "sessions.enabled is not set in portico.toml", { status: 500 });
    }
    headers.append("set-cookie", accessCookie(login));
    headers.append("set-cookie", setCookie(WALLET_COOKIE, session_token, new Date(claims.expires_at * 1_000)));
  }
  return Response.json(stepOf(event) ?? { step: "waiting" }, { headers });
}

function indexIn(query: URLSearchParams): number {
  const after = query.get("after") ?? "";
  return /^\d{1,9}$/.test(after) ? Number(after) : 0;
}

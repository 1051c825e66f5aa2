/** The server's part of a sign-in page: open a login, wait for it, and sign out. */
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

/** Options of `SignIn`. */
export interface SignInOptions {
  /**
   * Signs the cookie that names the logins of a browser. If several processes serve your app, give all of them the same
   * secret, at least 32 bytes. By default each process makes its own.
   */
  secret?: string | Uint8Array;
  /** The address of your app, like `https://shop.example`, if a proxy changes `Host`. */
  origin?: string;
}

/** A login for one browser. */
export interface BrowserLogin {
  /** The URL for the QR code, and for the link that opens the wallet on this device. */
  url: string;
  /** Send it as `Set-Cookie` with the page. Only the browser that has this cookie gets the result. */
  cookie: string;
  /** The name of the login, for the page: `wait?login=`. It is no secret. */
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
   * Opens a login for the browser that asks for the sign-in page. `cookies` is its `Cookie` header, which also names
   * the logins of its other tabs.
   */
  async begin(cookies: string | null | undefined): Promise<BrowserLogin> {
    const { url, stream_id } = (await this.#portico.call("POST", "/login", { body: {} })) as OpenedLogin;
    const others = this.#opened.read(cookies).values();
    return { url, cookie: this.#opened.write([...others, stream_id]), id: nameOf(stream_id) };
  }

  /**
   * Answers with the latest step of a login of this browser, as JSON: a `LoginStep`, or `{"step":"waiting"}` after
   * 25 s. `?login=` is the id of the login, and `&after=N` the last step that the page knows. After an approval, the
   * answer sets the cookies of the session. Only `POST`, and only from your own pages.
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
      // The browser has closed the connection, so nobody reads this answer.
      if (request.signal.aborted) return refuse(503, "try_again_later");
      if (!(error instanceof PorticoError)) throw error;
      if (error.code === "no_such_stream") return refuse(400, "no_login", [others]);
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      throw setUpError(error);
    }
  }

  /** The module `portico-client/page` for the browser: its `watch` calls the route of `wait`. */
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
      // If the daemon does not accept the access token, the credential ends the session.
      const isEnded = access_token !== undefined && (await this.#logout({ access_token }));
      if (!isEnded && credential !== undefined) await this.#logout({ credential });
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      // The session is still open, so the browser keeps its cookies and can retry.
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      throw setUpError(error);
    }
    const headers = new Headers({ location: safePath(to), "cache-control": "no-store" });
    for (const name of [ACCESS_COOKIE, WALLET_COOKIE, LOGIN_COOKIE]) headers.append("set-cookie", dropCookie(name));
    return new Response(null, { status: 303, headers });
  }

  /** `false`: this token belongs to no open session. */
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

  /** If the page asks again after it has read the end of the login, it gets the end again. */
  async #page(id: string, after: number, signal: AbortSignal): Promise<EventPage> {
    const page = await this.#portico.readEvents(id, { after, wait: PAGE_WAIT, signal });
    return page.ended && page.events.length === 0 ? this.#portico.readEvents(id, { signal }) : page;
  }
}

/** The latest step. After an approval also the cookies; at the end, the browser keeps only its other logins. */
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

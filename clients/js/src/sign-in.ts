/** What a sign-in page needs of the server: open a login, wait for it, and sign out. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { accessCookie, refuse, setUpError, tokensOf } from "./authenticate.js";
import { isFromAnotherSite, safePath } from "./browser.js";
import { ACCESS_COOKIE, LOGIN_COOKIE, WALLET_COOKIE, cookieOf, dropCookie, setCookie } from "./cookies.js";
import { PorticoError } from "./errors.js";
import type { EventPage } from "./events.js";
import { resultOf, stepOf } from "./login.js";
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
}

/** Signs browsers in and out, with cookies. It keeps nothing in memory. */
export class SignIn {
  readonly #portico: Portico;
  readonly #secret: string | Uint8Array;
  readonly #origin: string | undefined;

  /** Throws `PorticoError` with the code `bad_options`. */
  constructor(portico: Portico, options: SignInOptions = {}) {
    const { secret = randomBytes(32), origin } = options;
    if (Buffer.byteLength(secret) < 32) throw new PorticoError("bad_options", "secret: at least 32 bytes");
    this.#portico = portico;
    this.#secret = secret;
    this.#origin = origin;
  }

  /** Opens a login for the browser that asks for the sign-in page. */
  async begin(): Promise<BrowserLogin> {
    const { url, stream_id } = (await this.#portico.call("POST", "/login", { body: {} })) as OpenedLogin;
    return { url, cookie: setCookie(LOGIN_COOKIE, `${stream_id}.${this.#mac(stream_id)}`) };
  }

  /**
   * What happened to the login of this browser behind `?after=N`, as JSON: a `LoginStep`, or `{"step":"waiting"}` after
   * 25 s. The answer to an approval sets the cookies of the session. Only `POST`, and only from your own pages.
   */
  async wait(request: Request): Promise<Response> {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refusal;
    const id = this.#loginOf(request);
    if (id === undefined) return refuse(400, "no_login");
    try {
      return told(await this.#page(id, afterIn(request), request.signal));
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      if (error.code === "no_such_stream") return refuse(400, "no_login", [dropCookie(LOGIN_COOKIE)]);
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      throw setUpError(error);
    }
  }

  /** Ends the session of this browser and sends it to `to`, a path of your site. Only `POST`, from your own pages. */
  async signOut(request: Request, to = "/"): Promise<Response> {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) return refusal;
    const { access_token = null, credential = null } = tokensOf(request) ?? {};
    try {
      if (access_token !== null || credential !== null) await this.#portico.logout({ access_token, credential });
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      // The session goes on, so the browser keeps its cookies and can ask again.
      if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
      // There is no session left that these tokens could end.
      if (error.status !== 401 || error.code === "unauthorized") throw setUpError(error);
    }
    const headers = new Headers({ location: safePath(to), "cache-control": "no-store" });
    for (const name of [ACCESS_COOKIE, WALLET_COOKIE, LOGIN_COOKIE]) headers.append("set-cookie", dropCookie(name));
    return new Response(null, { status: 303, headers });
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

  #loginOf(request: Request): string | undefined {
    const [id = "", mac = ""] = (cookieOf(request, LOGIN_COOKIE) ?? "").split(".");
    const [given, right] = [Buffer.from(mac), Buffer.from(this.#mac(id))];
    return given.length === right.length && timingSafeEqual(given, right) ? id : undefined;
  }

  #mac(id: string): string {
    return createHmac("sha256", this.#secret).update(`portico login ${id}`).digest("base64url");
  }
}

/** The latest step, and with an approval the cookies. */
function told(page: EventPage): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  const event = page.events.at(-1);
  if (event === undefined) return Response.json({ step: "waiting" }, { headers });
  const result = resultOf(event);
  if (result !== undefined) headers.append("set-cookie", dropCookie(LOGIN_COOKIE));
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

function afterIn(request: Request): number {
  const after = new URL(request.url).searchParams.get("after") ?? "";
  return /^\d{1,9}$/.test(after) ? Number(after) : 0;
}

/** The cookie that says which logins a browser has opened: one for each of its last tabs. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { cookieIn, dropCookie, LOGIN_COOKIE, setCookie } from "./cookies.js";
import { PorticoError } from "./errors.js";

/** Logins of one browser. Whoever opens more tabs scans the code of a later one. */
const MOST = 4;

/** Signs and reads that cookie: the streams of the logins, each with a MAC. */
export class OpenedLogins {
  readonly #secret: string | Uint8Array;

  /** Throws `PorticoError` with the code `bad_options`. */
  constructor(secret: string | Uint8Array = randomBytes(32)) {
    if (Buffer.byteLength(secret) < 32) throw new PorticoError("bad_options", "secret: at least 32 bytes");
    this.#secret = secret;
  }

  /** The streams in a `Cookie` header that this app has signed, by what the page calls them. */
  read(cookies: string | null | undefined): Map<string, string> {
    const entries = (cookieIn(cookies, LOGIN_COOKIE) ?? "").split("~").slice(-MOST);
    const ids = entries.map((entry) => entry.split(".")).filter(([id = "", mac = ""]) => this.#isMac(id, mac));
    return new Map(ids.map(([id = ""]) => [nameOf(id), id]));
  }

  /** `Set-Cookie` for these streams. The latest ones are kept. */
  write(ids: Iterable<string>): string {
    const entries = [...ids].slice(-MOST).map((id) => `${id}.${this.#mac(id)}`);
    return entries.length === 0 ? dropCookie(LOGIN_COOKIE) : setCookie(LOGIN_COOKIE, entries.join("~"));
  }

  #isMac(id: string, mac: string): boolean {
    const [given, right] = [Buffer.from(mac), Buffer.from(this.#mac(id))];
    return given.length === right.length && timingSafeEqual(given, right);
  }

  #mac(id: string): string {
    return createHmac("sha256", this.#secret).update(`portico login ${id}`).digest("base64url");
  }
}

/** What the page calls a login: no secret, and of no use without the cookie. */
export function nameOf(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 12);
}

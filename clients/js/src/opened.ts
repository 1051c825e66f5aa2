/** The cookie that names the logins that a browser has opened: one for each of its latest tabs. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { cookieIn, dropCookie, LOGIN_COOKIE, setCookie } from "./cookies.js";
import { PorticoError } from "./errors.js";

/** How many logins of one browser are kept. With more tabs, only the codes of the latest ones work. */
const MOST = 4;

/** Signs and reads that cookie. It contains the stream of each login, with a MAC. */
export class OpenedLogins {
  readonly #secret: string | Uint8Array;

  /** Throws `PorticoError` with the code `bad_options`. */
  constructor(secret: string | Uint8Array = randomBytes(32)) {
    if (Buffer.byteLength(secret) < 32) throw new PorticoError("bad_options", "secret: must have at least 32 bytes");
    this.#secret = secret;
  }

  /** The streams in a `Cookie` header that this app has signed, by their names for the page. */
  read(cookies: string | null | undefined): Map<string, string> {
    const entries = (cookieIn(cookies, LOGIN_COOKIE) ?? "").split("~").slice(-MOST);
    const ids = entries.map((entry) => entry.split(".")).filter(([id = "", mac = ""]) => this.#isMac(id, mac));
    return new Map(ids.map(([id = ""]) => [nameOf(id), id]));
  }

  /** The `Set-Cookie` header for the latest of these streams. */
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

/** The name of a login for the page. It is no secret: it does nothing without the cookie. */
export function nameOf(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 12);
}

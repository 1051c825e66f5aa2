/**
 * The cookies of a login. The prefix `__Host-` binds them to one host: no subdomain can set them. Scripts cannot read
 * them (`HttpOnly`), and a browser does not send them with a form of another site (`SameSite=Lax`).
 */

/** The access token. The cookie lives as long as the session, because a renewal needs the expired token. */
export const ACCESS_COOKIE = "__Host-access";
/** The wallet's credential. */
export const WALLET_COOKIE = "__Host-wallet";
/** Which logins this browser has opened. */
export const LOGIN_COOKIE = "__Host-login";

const ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax";

/** A `Set-Cookie` header. Without `expires`, the cookie lasts until the browser is closed. */
export function setCookie(name: string, value: string, expires?: Date): string {
  // The characters of tokens. Any other character could add an attribute to the cookie.
  if (!/^[A-Za-z0-9._~+/=-]*$/.test(value)) throw new TypeError(`${name}: contains a character that no token has`);
  return `${name}=${value}; ${ATTRIBUTES}${expires === undefined ? "" : `; Expires=${expires.toUTCString()}`}`;
}

/** A `Set-Cookie` header that deletes the cookie. */
export function dropCookie(name: string): string {
  return setCookie(name, "", new Date(0));
}

/** The value of a cookie. `undefined` if it is missing or empty, or if there are two: this app did not set both. */
export function cookieIn(header: string | null | undefined, name: string): string | undefined {
  const pairs = (header ?? "").split(";").map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

/** Finds the user of a request to your app. For any framework that has the Web's `Request` and `Response`. */
import { isFromAnotherSite, pathOf, safePath, wantsPage } from "./browser.js";
import { ACCESS_COOKIE, WALLET_COOKIE, cookieIn, dropCookie, setCookie } from "./cookies.js";
import { PorticoError } from "./errors.js";
import type { Portico } from "./portico.js";
import type { LoggedIn, Member, OpenSession } from "./types.js";

/** Which users to let in. */
export interface Rules {
  /** Roles that the user must have, all of them. */
  roles?: string[];
  /** Permissions that the user must have, all of them. */
  permissions?: string[];
  /** The path of your sign-in page. Browsers that ask for a page are sent there, with `?return_to=`. */
  signIn?: string;
  /** The address of your app, like `https://shop.example`, if a proxy changes `Host`. */
  origin?: string;
}

/** A user who is let in. */
export interface Authenticated {
  user: Member;
  session: OpenSession;
  /** `Set-Cookie` headers for your answer: the access token was renewed. Usually there are none. */
  setCookies: string[];
}

/** The tokens of a request, and whether a browser sent them by itself. */
export interface Tokens {
  access_token: string | undefined;
  credential: string | undefined;
  areCookies: boolean;
}

/**
 * Lets a user in, or returns the response that refuses the request: 401, 403, 503 while the daemon does not answer, or
 * 303 to your sign-in page. Throws `PorticoError` with status 500 if an operator must fix something, such as a wrong
 * API token.
 *
 * The tokens come in `Authorization: Bearer` (the access token) and `X-Wallet-Session` (the credential), or else in the
 * cookies. If the access token in the cookie has expired, is missing, or is not valid here, the credential gets a new
 * one: Portico rejects all older access tokens after its access keys were replaced.
 */
export async function authenticate(
  portico: Portico,
  request: Request,
  rules: Rules,
): Promise<Authenticated | Response> {
  const tokens = tokensOf(request);
  if (tokens === undefined) return turnAway(request, rules, "not_signed_in", []);
  if (tokens.areCookies && isFromAnotherSite(request, rules.origin)) return refuse(403, "cross_site_request");
  let found: Authenticated;
  try {
    found = await identify(portico, tokens);
  } catch (error) {
    return refusalOf(error, request, rules, tokens);
  }
  const { user } = found;
  if (!includesAll(user.roles, rules.roles)) return refuse(403, "role_missing", found.setCookies);
  if (!includesAll(user.permissions, rules.permissions)) return refuse(403, "permission_missing", found.setCookies);
  return found;
}

/** The tokens in the headers of a request, else in its cookies. */
export function tokensOf(request: Request): Tokens | undefined {
  const [, bearer] = /^Bearer +([^ ]+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  const wallet = request.headers.get("x-wallet-session") ?? undefined;
  if (bearer !== undefined || wallet !== undefined) {
    return { access_token: bearer, credential: wallet, areCookies: false };
  }
  const cookies = request.headers.get("cookie");
  const [access_token, credential] = [cookieIn(cookies, ACCESS_COOKIE), cookieIn(cookies, WALLET_COOKIE)];
  if (access_token === undefined && credential === undefined) return undefined;
  return { access_token, credential, areCookies: true };
}

/** The cookie with the access token of a session. */
export function accessCookie({ access_token, session }: LoggedIn): string {
  return setCookie(ACCESS_COOKIE, access_token, new Date(session.expires_at));
}

async function identify(portico: Portico, tokens: Tokens): Promise<Authenticated> {
  const { access_token = null, credential = null } = tokens;
  try {
    const { user, session } = await portico.check({ access_token, credential });
    return { user, session, setCookies: [] };
  } catch (error) {
    if (!tokens.areCookies || credential === null || !isRenewable(error)) throw error;
    // A token that this daemon does not accept belongs to no session here: renew with the credential alone.
    const old = error.code === "token_expired" ? { access_token } : {};
    const renewed = await portico.refresh({ credential, ...old });
    return { user: renewed.user, session: renewed.session, setCookies: [accessCookie(renewed)] };
  }
}

/** Whether the credential alone gets a new access token. */
function isRenewable(error: unknown): error is PorticoError {
  if (!(error instanceof PorticoError)) return false;
  const { code, renewable } = error;
  return (code === "token_expired" && renewable) || code === "invalid_token" || code === "access_token_required";
}

/** The answer to the browser, if the refusal is about the user. Other refusals are about the daemon or this app. */
function refusalOf(error: unknown, request: Request, rules: Rules, tokens: Tokens): Response {
  if (!(error instanceof PorticoError)) throw error;
  const { code, status } = error;
  if (error.isPassing) return refuse(503, "try_again_later", [], error.retryAfter ?? 1);
  if (!isAboutUser(error)) throw setUpError(error);
  if (status === 403) return refuse(403, code);
  const spent = tokens.areCookies ? [dropCookie(ACCESS_COOKIE), dropCookie(WALLET_COOKIE)] : [];
  return turnAway(request, rules, code, spent);
}

const KEPT_OUT = new Set(["user_disabled", "user_not_listed"]);
const NOT_SHOWN = new Set(["access_token_required", "credential_required"]);

/** Whether Portico refuses the user. With `unauthorized`, it refuses the API token of this app. */
export function isAboutUser({ code, status }: PorticoError): boolean {
  return (status === 401 && code !== "unauthorized") || KEPT_OUT.has(code) || NOT_SHOWN.has(code);
}

/** Portico refuses the app and not its user. Frameworks answer with the status of an error, so it must not be 401. */
export function setUpError({ code, message }: PorticoError): PorticoError {
  return new PorticoError(code, `Portico refuses this app: ${message}`, { status: 500 });
}

/** 401, or a redirect to the sign-in page. */
function turnAway(request: Request, { signIn }: Rules, code: string, setCookies: string[]): Response {
  if (signIn === undefined || !wantsPage(request)) return refuse(401, code, setCookies);
  const joint = signIn.includes("?") ? "&" : "?";
  const headers = new Headers({ "cache-control": "no-store" });
  headers.set("location", `${signIn}${joint}return_to=${encodeURIComponent(safePath(pathOf(request)))}`);
  for (const cookie of setCookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

/** A refusal: `{"error": code}`, with the reason in `WWW-Authenticate` (RFC 6750 §3). */
export function refuse(status: number, code: string, setCookies: string[] = [], retryAfter?: number): Response {
  const headers = new Headers({ "cache-control": "no-store" });
  const why = code === "not_signed_in" ? "" : ' error="invalid_token"';
  if (status === 401) headers.set("www-authenticate", `Bearer${why}`);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  for (const cookie of setCookies) headers.append("set-cookie", cookie);
  return Response.json({ error: code }, { status, headers });
}

function includesAll(has: string[], wanted: string[] = []): boolean {
  return wanted.every((name) => has.includes(name));
}

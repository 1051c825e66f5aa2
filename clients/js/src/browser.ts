/** Reads from a browser's request which site it comes from, and where the browser may be sent. */

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether another site made the browser send this request. `GET`, `HEAD` and `OPTIONS` are always allowed: your app
 * must not change anything on them. Browsers send `Sec-Fetch-Site`; older browsers send only `Origin`. A request with
 * neither does not come from a browser, or comes from one that sends no cookies across sites. `origin` is the address
 * of your app, like `https://shop.example`; by default, it is read from `Host`.
 */
export function isFromAnotherSite(request: Request, origin?: string): boolean {
  if (SAFE_METHODS.has(request.method)) return false;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const from = request.headers.get("origin");
  if (from === null) return false;
  if (origin !== undefined) return from !== origin;
  const host = request.headers.get("host") ?? new URL(request.url).host;
  return !URL.canParse(from) || new URL(from).host !== host;
}

/** Whether a browser asks for a page, so that it can be sent to another one. */
export function wantsPage(request: Request): boolean {
  const accepts = request.headers.get("accept") ?? "";
  return (request.method === "GET" || request.method === "HEAD") && accepts.includes("text/html");
}

/** The path and query of a request. */
export function pathOf(request: Request): string {
  const { pathname, search } = new URL(request.url);
  return pathname + search;
}

/**
 * The path, if it is a path of this site; otherwise `/`. Anybody can link to your sign-in page with any `return_to`,
 * and browsers take `//evil.example` and `/\evil.example` for another site. You can write the result between double
 * quotes in HTML and in a script, because a path with quotes or angle brackets counts as unsafe: browsers
 * percent-encode them.
 */
export function safePath(path: unknown): string {
  const isSafe = typeof path === "string" && path.length <= 2_048 && /^\/(?!\/)[!#-%(-;=?-[\]-_a-~&]*$/.test(path);
  return isSafe ? path : "/";
}

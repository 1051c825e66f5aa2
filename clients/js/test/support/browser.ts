/** A browser: only its cookies and redirects. */
import assert from "node:assert/strict";

/** Keeps cookies, and sends the headers of a request from the same site. */
export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#ask("GET", path, { accept: "text/html", "sec-fetch-site": "none", ...headers });
  }

  async post(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.#ask("POST", path, { accept: "*/*", "sec-fetch-site": "same-origin", ...headers });
  }

  async #ask(method: string, path: string, headers: Record<string, string>): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const sent = cookie === "" ? headers : { cookie, ...headers };
    const answer = await fetch(this.#base + path, { method, headers: sent, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return answer;
  }

  #keep(line: string): void {
    const [pair = "", ...attributes] = line.split("; ");
    const name = pair.slice(0, pair.indexOf("="));
    // RFC 6265bis §4.1.3.2. No script, and no form of another site, may use the cookie.
    for (const wanted of ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]) assert.ok(attributes.includes(wanted), line);
    assert.ok(name.startsWith("__Host-") && !attributes.some((attribute) => attribute.startsWith("Domain")), line);
    const expires = attributes.find((attribute) => attribute.startsWith("Expires="))?.slice(8);
    if (expires !== undefined && Date.parse(expires) <= Date.now()) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(name.length + 1));
  }
}

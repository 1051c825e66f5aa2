/** Sends requests to the daemon, and reads its envelope: the data, or an error. */
import { PorticoError } from "./errors.js";
import type { Transport } from "./transport.js";
import { parseVeiled } from "./veil.js";

/** How long a check may take, because a browser waits for it. In milliseconds. */
export const CHECK_TIMEOUT = 2_000;
/** How long any other request may take, in milliseconds. */
export const TIMEOUT = 10_000;

/** How to send a request. */
export interface CallOptions {
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Milliseconds; 10 s by default. */
  timeout?: number;
  signal?: AbortSignal | undefined;
  /** Whether the daemon may receive the request twice without any effect. By default `true` for `GET`. */
  repeatable?: boolean;
}

/** A successful answer. */
export interface Answer {
  data: unknown;
  /** The `ETag`: the revision of the object that was read or changed. */
  etag: string | undefined;
}

/** Sends requests and reads the envelope. */
export class Caller {
  readonly #transport: Transport;
  readonly #token: string | undefined;

  constructor(transport: Transport, token: string | undefined) {
    this.#transport = transport;
    this.#token = token;
  }

  /** Throws `PorticoError`, or the reason of the signal. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const { timeout = TIMEOUT, signal, repeatable = method === "GET" } = options;
    const headers: Record<string, string> = { accept: "application/json", ...options.headers };
    if (this.#token !== undefined) headers["authorization"] = `Bearer ${this.#token}`;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = String(Buffer.byteLength(body));
    }
    const answer = await within(timeout, signal, (signal) =>
      this.#transport.send({ method, path, headers, body, signal, repeatable }),
    );
    const envelope = read(answer.body, answer.status);
    if (envelope["success"] === true) return { data: envelope["data"], etag: answer.header("etag") };
    throw refusal(envelope, answer.status, answer.header("retry-after"));
  }

  close(): void {
    this.#transport.close();
  }
}

/** Aborts the work after `timeout`, or when the caller's signal aborts. It leaves no listener on that signal. */
async function within<T>(
  timeout: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const ends = new AbortController();
  const late = () => ends.abort(new PorticoError("no_answer", `Portico did not answer within ${timeout} ms`));
  const timer = setTimeout(late, timeout);
  const stop = () => ends.abort(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    return await work(ends.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function read(body: string, status: number): Record<string, unknown> {
  try {
    const envelope = parseVeiled(body);
    if (typeof envelope === "object" && envelope !== null && "success" in envelope) {
      return envelope as Record<string, unknown>;
    }
  } catch {
    // Throw the error below instead: the parser's own error text would repeat a part of the answer.
  }
  const message = `HTTP ${status}, and the body is not an envelope of Portico`;
  throw new PorticoError("malformed_answer", message, { status });
}

function refusal(envelope: Record<string, unknown>, status: number, retryAfter: string | undefined): PorticoError {
  const text = (name: string) => (typeof envelope[name] === "string" ? envelope[name] : undefined);
  const seconds = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
  const facts = { status, retryAfter: seconds, detail: text("detail"), renewable: envelope["renewable"] === true };
  return new PorticoError(text("code") ?? "malformed_answer", text("error") ?? `HTTP ${status}`, facts);
}

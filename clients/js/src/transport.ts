/** Sends requests to the daemon: over its Unix socket, over TCP, or with a `fetch` of the app. */
import http from "node:http";
import https from "node:https";

import { PorticoError } from "./errors.js";

/** One request. */
export interface Outgoing {
  method: string;
  /** Path and query. */
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** Aborts the request. */
  signal: AbortSignal;
  /** Whether the daemon may receive the request twice without any effect. */
  repeatable: boolean;
}

/** One answer. */
export interface Incoming {
  status: number;
  /** A header by its name in lower case. */
  header(name: string): string | undefined;
  body: string;
}

/** Sends requests to one daemon. */
export interface Transport {
  /** Throws `PorticoError` with the code `unreachable`, or the reason of the signal. */
  send(request: Outgoing): Promise<Incoming>;
  /** Closes connections that are idle. */
  close(): void;
}

/**
 * Speaks HTTP/1.1 over a Unix socket or over TCP. Repeatable requests share connections. Every other request opens its
 * own, because on a shared one nobody can tell whether the daemon has read a request before the connection closed.
 */
export function nodeTransport(target: { socket: string } | { url: URL }): Transport {
  const isTls = "url" in target && target.url.protocol === "https:";
  const { request, Agent } = isTls ? https : http;
  const agent = new Agent({ keepAlive: true });
  const base: http.RequestOptions = "url" in target ? tcp(target.url) : { socketPath: target.socket, host: "portico" };
  const prefix = "url" in target ? target.url.pathname.replace(/\/$/, "") : "";
  const name = "url" in target ? target.url.origin : target.socket;

  function once(outgoing: Outgoing, agent: http.Agent | false): Promise<Incoming> {
    return new Promise((resolve, reject) => {
      const { method, path, headers, signal } = outgoing;
      const sent = request({ ...base, agent, method, path: prefix + path, headers, signal }, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => resolve(incoming(answer, Buffer.concat(parts).toString())));
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        // The daemon closed the idle connection just before it got this request (Node's docs, request.reusedSocket).
        const isStale = sent.reusedSocket && error.code === "ECONNRESET" && !signal.aborted;
        if (isStale && outgoing.repeatable) resolve(once(outgoing, false));
        else reject(error);
      });
      sent.end(outgoing.body);
    });
  }

  return {
    async send(outgoing) {
      try {
        return await once(outgoing, outgoing.repeatable && agent);
      } catch (error) {
        outgoing.signal.throwIfAborted();
        throw unreachable(name, (error as NodeJS.ErrnoException).code);
      }
    },
    close: () => agent.destroy(),
  };
}

/** Uses this `fetch`, for runtimes without `node:http`. */
export function fetchTransport(url: URL, fetch: typeof globalThis.fetch): Transport {
  const prefix = url.pathname.replace(/\/$/, "");
  return {
    async send({ method, path, headers, body, signal }) {
      try {
        const init = { method, headers, signal, redirect: "manual" as const, ...(body === undefined ? {} : { body }) };
        const answer = await fetch(new URL(url.origin + prefix + path), init);
        const text = await answer.text();
        return { status: answer.status, header: (name) => answer.headers.get(name) ?? undefined, body: text };
      } catch (error) {
        signal.throwIfAborted();
        throw unreachable(url.origin, ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code);
      }
    },
    close: () => {},
  };
}

function tcp(url: URL): http.RequestOptions {
  // Node's request takes an IPv6 address without its brackets.
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port };
}

function incoming(answer: http.IncomingMessage, body: string): Incoming {
  const header = (name: string): string | undefined => {
    const value = answer.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  return { status: answer.statusCode ?? 0, header, body };
}

/** Contains only the code of the cause, because its text may repeat a header. */
function unreachable(name: string, code: string | undefined): PorticoError {
  return new PorticoError("unreachable", `no answer from Portico at ${name}: ${code ?? "the connection failed"}`);
}

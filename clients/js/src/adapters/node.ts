/** Translates between Node's requests and the Web's. */
import type { IncomingMessage, ServerResponse } from "node:http";

/** A request of Node. Express keeps its whole path in `originalUrl`. */
export type NodeRequest = IncomingMessage & { originalUrl?: string };

/**
 * The Web's request, without its body. It aborts when the browser closes the connection. `undefined`: the Web allows no
 * such request. Do not use the host in its URL: read `Host`.
 */
export function toWeb(request: NodeRequest, response: ServerResponse): Request | undefined {
  const target = request.originalUrl ?? request.url ?? "/";
  if (!target.startsWith("/")) return undefined;
  const left = new AbortController();
  response.once("close", () => left.abort());
  const headers = new Headers();
  try {
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
    }
    const method = request.method ?? "GET";
    return new Request(`http://localhost${target}`, { method, headers, signal: left.signal });
  } catch {
    return undefined;
  }
}

/** Sends the Web's response. */
export async function send(answer: Response, response: ServerResponse): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) {
    // Keep the cookies that the app has set.
    if (name === "set-cookie") response.appendHeader(name, value);
    else response.setHeader(name, value);
  }
  response.end(Buffer.from(await answer.arrayBuffer()));
}

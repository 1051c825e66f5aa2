/** A proxy in front of the daemon, with the faults that a test names. It counts requests and connections. */
import http from "node:http";
import path from "node:path";

import { type Ending, folder } from "./process.js";

/** What happens to a request: a status without the daemon's envelope, a connection that breaks, or nothing. */
export type Fault = 502 | 503 | 504 | "broken" | "cut" | undefined;

/** A Unix socket that leads to the daemon. */
export class Faulty {
  readonly socket: string;
  /** Method and path of each request. */
  readonly requests: string[] = [];
  /** How many connections were opened. */
  connections = 0;
  /** What happens to the next requests, in their order. */
  readonly faults: Fault[] = [];
  readonly #server: http.Server;
  readonly #remove: () => Promise<void>;

  private constructor(socket: string, target: string, remove: () => Promise<void>) {
    this.socket = socket;
    this.#remove = remove;
    this.#server = http.createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url?.split("?")[0]}`);
      const fault = this.faults.shift();
      if (fault === "broken") return void request.socket.destroy();
      if (typeof fault === "number") return void response.writeHead(fault, { "retry-after": "0" }).end("<h1>Bad</h1>");
      const { method, url, headers } = request;
      const onward = http.request({ socketPath: target, agent: false, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        if (fault !== "cut") return void answer.pipe(response);
        answer.once("data", (part: Buffer) =>
          response.write(part.subarray(0, part.length / 2), () => response.destroy()),
        );
      });
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      request.pipe(onward);
    });
    this.#server.on("connection", () => this.connections++);
  }

  /** It ends with the test. */
  static async before(test: Ending, target: string): Promise<Faulty> {
    const { path: at, remove } = await folder();
    const faulty = new Faulty(path.join(at, "faulty.sock"), target, remove);
    await new Promise<void>((resolve) => faulty.#server.listen(faulty.socket, resolve));
    test.after(() => faulty.#stop());
    return faulty;
  }

  /** How many requests this path got. */
  count(path: string): number {
    return this.requests.filter((request) => request.endsWith(path)).length;
  }

  async #stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#remove();
  }
}

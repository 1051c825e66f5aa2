/** Runs the built program, and reads its output. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The folder of the client. */
export const CLIENT = fileURLToPath(new URL("../..", import.meta.url));

const PROGRAM = process.env["PORTICO"] ?? path.resolve(CLIENT, "../../target/debug/portico");

/** A test, or a file of tests. Everything that it starts is stopped at its end. */
export interface Ending {
  after(stop: () => Promise<void>): void;
}

/** The runner ends a test file that takes too long with a signal. Then these processes must end, too. */
const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill()));
process.once("SIGTERM", () => process.exit(1));

/** A process that ends with the test at the latest. */
export class Program {
  readonly child: ChildProcess;
  readonly #lines: Interface;
  readonly #unread: string[] = [];
  #arrived = () => {};
  #isOver = false;

  constructor(command: string, args: string[], env: Record<string, string> = {}) {
    const inherited = { PATH: process.env["PATH"] ?? "" };
    this.child = spawn(command, args, { env: { ...inherited, ...env }, stdio: ["pipe", "pipe", "inherit"] });
    running.add(this.child);
    this.child.once("exit", () => running.delete(this.child));
    this.#lines = createInterface(this.child.stdout!);
    this.#lines.on("line", (line) => (this.#unread.push(line), this.#arrived()));
    this.#lines.on("close", () => ((this.#isOver = true), this.#arrived()));
  }

  /** Reads lines until `accept` returns a value, and returns this value. */
  async lineOf<T>(accept: (line: string) => T | undefined): Promise<T> {
    for (;;) {
      for (let line = this.#unread.shift(); line !== undefined; line = this.#unread.shift()) {
        const found = accept(line);
        if (found !== undefined) return found;
      }
      if (this.#isOver) throw new Error("the program ended before it printed that");
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  say(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, "exit");
    this.child.kill(signal);
    await exit;
  }
}

/** Runs `portico` with these arguments. */
export function portico(args: string[], env?: Record<string, string>): Program {
  return new Program(PROGRAM, args, env);
}

/** A temporary folder, and a function that removes it. */
export async function folder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const made = await mkdtemp(path.join(tmpdir(), "portico-js-"));
  return { path: made, remove: () => rm(made, { recursive: true, force: true }) };
}

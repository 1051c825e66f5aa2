/** The real daemon, a relay and simulated wallets: those of `portico demo`. */
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";

import { Portico } from "portico-client";

import { type Ending, folder, portico, type Program } from "./process.js";

/** A running `portico demo`. */
export class Demo {
  readonly socket: string;
  readonly relay: string;
  /** Its TCP address. */
  readonly url: string;
  readonly token: string;
  readonly publicKey: string;
  readonly client: Portico;
  readonly #program: Program;
  readonly #remove: () => Promise<void>;

  private constructor(
    program: Program,
    steps: Record<string, Record<string, string>>,
    token: string,
    remove: () => Promise<void>,
  ) {
    const { relay, daemon } = steps;
    this.#program = program;
    this.#remove = remove;
    this.relay = relay!["url"]!;
    this.socket = daemon!["socket"]!;
    this.url = `http://${daemon!["listen"]}`;
    this.publicKey = daemon!["public_key"]!;
    this.token = token;
    this.client = new Portico({ socket: this.socket });
  }

  static async start(): Promise<Demo> {
    const temporary = await folder();
    const program = portico(["demo", "--json"], { TMPDIR: temporary.path });
    const steps: Record<string, Record<string, string>> = {};
    await program.lineOf((line) => {
      const step = JSON.parse(line) as Record<string, string>;
      steps[step["step"]!] = step;
      return step["step"] === "up" ? true : undefined;
    });
    const token = (await readFile(steps["up"]!["token_file"]!, "utf8")).trim();
    return new Demo(program, steps, token, temporary.remove);
  }

  /** A simulated user scans the URL. `how` says what the user does: `no`, `ignore`, `as bob`. */
  async scan(url: string, how = ""): Promise<void> {
    this.#program.say(`${how} ${url}`);
    const error = await this.#program.lineOf((line) => {
      const step = JSON.parse(line) as { step: string; error?: string | null };
      return step.step === "pasted" ? { text: step.error } : undefined;
    });
    if (typeof error.text === "string") throw new Error(error.text);
  }

  /** A login that a simulated user has approved. */
  async approved(client: Portico = this.client, how = "") {
    const login = await client.login();
    await this.scan(login.url, how);
    const result = await login.done;
    if (result.outcome !== "approved" || result.login === undefined) throw new Error(`not approved: ${result.outcome}`);
    return { ...result, login: result.login };
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.#program.stop();
    await this.#remove();
  }
}

/** A daemon with a configuration of its own, on the relay of a demo. It can be stopped and started again. */
export class Daemon {
  readonly socket: string;
  readonly client: Portico;
  readonly #folder: string;
  readonly #remove: () => Promise<void>;
  #program: Program | undefined;

  private constructor(folder: string, remove: () => Promise<void>) {
    this.#folder = folder;
    this.#remove = remove;
    this.socket = path.join(folder, "portico.sock");
    this.client = new Portico({ socket: this.socket });
  }

  /** It ends with the test. */
  static async start(test: Ending, relay: string, configuration: string): Promise<Daemon> {
    const { path: folderPath, remove } = await folder();
    const daemon = new Daemon(folderPath, remove);
    test.after(() => daemon.#stop());
    const settings = `data_dir = "data"\nrelays_file = "relays.toml"\n`;
    const local = `[service]\nkey_file = "service.key"\n[local]\nsocket = "portico.sock"\n[log]\nlevel = "error"\n`;
    const mode = { mode: 0o600 };
    await writeFile(path.join(folderPath, "portico.toml"), settings + local + configuration, mode);
    await writeFile(path.join(folderPath, "relays.toml"), `[[relay]]\nurl = "${relay}"\n`, mode);
    await daemon.resume();
    return daemon;
  }

  /** Starts it, and waits until a relay is connected. */
  async resume(): Promise<void> {
    this.#program = portico(["serve", "--config", path.join(this.#folder, "portico.toml")]);
    for (;;) {
      try {
        await this.client.ready();
        return;
      } catch (error) {
        if (this.#program.child.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Stops it. With `SIGKILL` it cannot finish anything. */
  async halt(signal: NodeJS.Signals): Promise<void> {
    await this.#program?.stop(signal);
  }

  /** Stops it and deletes its access keys. The next start makes new ones. */
  async loseAccessKeys(): Promise<void> {
    await this.halt("SIGTERM");
    await rm(path.join(this.#folder, "data", "access-keys.json"));
  }

  async #stop(): Promise<void> {
    this.client.close();
    await this.halt("SIGTERM");
    await this.#remove();
  }
}

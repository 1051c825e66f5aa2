/** One login: the URL for the QR code, its steps, and its result. */
import type { ErrorEventCode, PorticoEvent, TokenErrorCode } from "./events.js";
import type { LoggedIn, OpenedLogin, WalletClaims } from "./types.js";
import { veil } from "./veil.js";

/** A step for the page. It contains no secret: send it to the browser as it is. */
export type LoginStep =
  | { step: "scanned"; index: number }
  | { step: "approved"; index: number }
  | { step: "declined"; index: number; reason: string | null }
  | { step: "failed"; index: number; code: ErrorEventCode; reason: string };

/** How the login ended. An approval contains secrets; `console.log` hides them. */
export type LoginResult =
  | {
      outcome: "approved";
      /** The user's public key, in hex. */
      user_key: string;
      /** The wallet's credential. Keep it like a password. */
      session_token: string;
      /** The claims of that credential, which the daemon verified. */
      claims: WalletClaims;
      /** The session. `undefined` if sessions are off. */
      login: LoggedIn | undefined;
    }
  | { outcome: "declined"; reason: string | null }
  | { outcome: "failed"; code: ErrorEventCode; reason: string; detail: TokenErrorCode | undefined };

/** The step for the page after an event of a login. `undefined`: there is none. */
export function stepOf(event: PorticoEvent): LoginStep | undefined {
  const { index } = event;
  if (event.type === "key_handshake") return { step: "scanned", index };
  const result = resultOf(event);
  switch (result?.outcome) {
    case "approved":
      return { step: "approved", index };
    case "declined":
      return { step: "declined", index, reason: result.reason };
    case "failed":
      return { step: "failed", index, code: result.code, reason: result.reason };
    default:
      return undefined;
  }
}

/** The result in an event. `undefined`: the login continues. */
export function resultOf(event: PorticoEvent): LoginResult | undefined {
  if (event.type === "error") {
    return { outcome: "failed", code: event.code, reason: event.reason, detail: event.detail };
  }
  if (event.type !== "authenticate_key") return undefined;
  const { status, session } = event;
  if (status.status === "declined") return { outcome: "declined", reason: status.reason ?? null };
  // The daemon never reports an approval without them.
  if (session === undefined) throw new TypeError("an approval without verified claims");
  const { user_key, login } = event;
  return veil({ outcome: "approved", user_key, session_token: status.session_token, claims: session, login });
}

/** What a `Login` needs of the client. */
export interface LoginSource {
  /** The events of the login. */
  events: AsyncGenerator<PorticoEvent, void, void>;
  /** Cancels the login URL. */
  cancel(): Promise<void>;
}

/** A login, open or ended. */
export class Login {
  /** The URL for the QR code. It expires after some minutes (`auth.handshake_ttl`). */
  readonly url: string;
  /** How many relays are connected. At 0, nobody can scan the URL yet. */
  readonly relaysReady: number;
  /**
   * The result. It resolves for a user who declines, too. It rejects with a `PorticoError`, or with the reason of the
   * signal. You need not await it: an unhandled rejection is ignored.
   */
  readonly done: Promise<LoginResult>;
  readonly #source: LoginSource;
  readonly #streamId: string;
  readonly #seen: LoginStep[] = [];
  #changed = signalled();
  #isOver = false;

  constructor(opened: OpenedLogin, source: LoginSource) {
    this.url = opened.url;
    this.relaysReady = opened.relays_ready;
    this.#streamId = opened.stream_id;
    this.#source = source;
    this.done = this.#run();
    this.done.catch(() => {});
    veil(this);
  }

  /** The stream of its events. Keep it secret: anybody who has it can read the tokens. */
  get streamId(): string {
    return this.#streamId;
  }

  /** All steps from the first one, also for late callers. Throws what `done` rejects with. */
  async *steps(): AsyncGenerator<LoginStep, void, void> {
    let next = 0;
    for (;;) {
      const changed = this.#changed.promise;
      for (; next < this.#seen.length; next++) yield this.#seen[next] as LoginStep;
      if (this.#isOver) break;
      await changed;
    }
    await this.done;
  }

  /** Cancels the URL, or the challenge that is open. The login then ends with the code `cancelled`. */
  cancel(): Promise<void> {
    return this.#source.cancel();
  }

  async #run(): Promise<LoginResult> {
    try {
      for await (const event of this.#source.events) {
        const step = stepOf(event);
        if (step !== undefined) this.#tell(step);
        const result = resultOf(event);
        if (result !== undefined) return result;
      }
      throw new TypeError("the login ended without a result");
    } finally {
      this.#isOver = true;
      this.#tell();
    }
  }

  #tell(step?: LoginStep): void {
    if (step !== undefined) this.#seen.push(step);
    this.#changed.resolve();
    this.#changed = signalled();
  }
}

/** A promise, and the way to resolve it. */
function signalled(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

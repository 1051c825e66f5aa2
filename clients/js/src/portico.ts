import { authenticate, type Authenticated, type Rules } from "./authenticate.js";
import { Caller, CHECK_TIMEOUT, type CallOptions } from "./caller.js";
import { PorticoError } from "./errors.js";
import type { EventPage, PorticoEvent } from "./events.js";
import { follow, type FollowOptions, LONG_POLL_TIMEOUT, WAIT } from "./follow.js";
import { Jwt } from "./jwt.js";
import { Login } from "./login.js";
import { fetchTransport, nodeTransport, type Transport } from "./transport.js";
import type {
  Checked,
  Info,
  LoggedIn,
  Logout,
  OpenedLogin,
  Ready,
  Renewal,
  Shown,
  VerifiedToken,
  WebLogin,
} from "./types.js";
import { Users } from "./users.js";

/** At the daemon's defaults, no login is open longer than this. In milliseconds. */
const PATIENCE = 15 * 60_000;

/** The address of the daemon. */
export type PorticoOptions =
  | {
      /** The path of its Unix socket, as `portico info --socket-path` prints it. */
      socket: string;
    }
  | {
      /** Its TCP address, like `http://127.0.0.1:3000`. */
      url: string;
      /** The API token. */
      token: string;
      /** Sends the requests; Node's own HTTP client by default. */
      fetch?: typeof globalThis.fetch;
    };

/** A client of the Portico daemon. One object serves the whole app. */
export class Portico {
  /** Tokens of wallets, and tokens that this service issues. */
  readonly jwt: Jwt;
  /** Users and their sessions. */
  readonly users: Users;
  readonly #caller: Caller;
  /** Renewals in progress, by their request. */
  readonly #renewals = new Map<string, Promise<LoggedIn>>();

  /** Throws `PorticoError` with the code `bad_options`. It does not connect yet. */
  constructor(options: PorticoOptions) {
    const token = "token" in options ? tokenOf(options.token) : undefined;
    this.#caller = new Caller(transportOf(options), token);
    this.jwt = new Jwt(this.#caller);
    this.users = new Users(this.#caller);
  }

  /** Opens a login. The signal ends `steps()` and `done`, but the URL stays open: `cancel()` closes it. */
  async login(options: { signal?: AbortSignal } = {}): Promise<Login> {
    const { signal } = options;
    const opened = (await this.call("POST", "/login", { body: {}, signal })) as OpenedLogin;
    return this.#watch(opened, signal);
  }

  /**
   * All events of a stream after index `after`, until it ends. It continues after a restart of the daemon; no event is
   * lost and none comes twice. An `authenticate_key` event contains tokens.
   */
  events(streamId: string, options: FollowOptions = {}): AsyncGenerator<PorticoEvent, void, void> {
    return follow((after, signal) => this.readEvents(streamId, { after, signal, wait: WAIT }), options);
  }

  /** The events that a stream has now. With `wait`, it waits so many seconds (at most 60) for the first one. */
  async readEvents(streamId: string, options: FollowOptions & { wait?: number } = {}): Promise<EventPage> {
    const { after = 0, signal, wait = 0 } = options;
    const path = `/events/${encodeURIComponent(streamId)}?after=${after}&wait=${wait}`;
    const timeout = Math.max(LONG_POLL_TIMEOUT, (wait + 15) * 1_000);
    return (await this.call("GET", path, { signal, timeout })) as EventPage;
  }

  /**
   * Checks that both tokens are valid and belong to one wallet. Throws `PorticoError` with the reason. After
   * `token_expired` call `refresh`; after `invalid_token` call it with the credential alone. It takes at most 2 s.
   */
  async check(shown: Shown): Promise<Checked> {
    const options = { body: shown, timeout: CHECK_TIMEOUT, repeatable: true };
    return (await this.call("POST", "/auth/verify", options)) as Checked;
  }

  /**
   * A new access token of the same session. Callers that renew the same tokens at the same time share one request and
   * its answer.
   */
  refresh(renewal: Renewal): Promise<LoggedIn> {
    const key = JSON.stringify(renewal);
    const underway = this.#renewals.get(key);
    if (underway !== undefined) return underway;
    const options = { body: renewal, timeout: CHECK_TIMEOUT };
    const renewed = this.call("POST", "/auth/refresh", options) as Promise<LoggedIn>;
    this.#renewals.set(key, renewed);
    const forget = () => void this.#renewals.delete(key);
    renewed.then(forget, forget);
    return renewed;
  }

  /** Ends the session, or with `all: true` every session of its user. Returns how many were ended. */
  async logout(logout: Logout): Promise<number> {
    return ((await this.call("POST", "/auth/logout", { body: logout })) as { revoked: number }).revoked;
  }

  /**
   * The login that a code of Portico's sign-in page stands for: the parameter `code` that the browser brought back. A
   * code works once, for 60 s. First compare `state` with the value that your app gave this browser.
   */
  async redeem(app: string, code: string): Promise<WebLogin> {
    return (await this.call("POST", "/web/redeem", { body: { app, code } })) as WebLogin;
  }

  /** The user of a request to your app, or the response that refuses the request. */
  authenticate(request: Request, rules: Rules = {}): Promise<Authenticated | Response> {
    return authenticate(this, request, rules);
  }

  /**
   * The claims of a token, if it is valid. With the public key of your service, `target_key` is the user. It does not
   * check sessions: a wallet's token is still valid after a logout. Use `check`, or `jwt.verify` with `session: true`.
   */
  verifyJwt(publicKey: string, token: string): Promise<VerifiedToken> {
    return this.jwt.verify({ pubkey: publicKey, token });
  }

  /** Issues a token for a key (hex or npub), signed by this service. */
  issueJwt(targetKey: string, hours: number): Promise<string> {
    return this.jwt.issue({ target_key: targetKey, duration_hours: hours, format: "portal" });
  }

  /** The service: its public key, version and commit. */
  async info(): Promise<Info> {
    return (await this.call("GET", "/info")) as Info;
  }

  /** Throws `PorticoError` with status 503 while logins cannot reach the daemon. */
  async ready(): Promise<Ready> {
    return (await this.call("GET", "/ready")) as Ready;
  }

  /** Calls any other route, and returns its `data`. Throws `PorticoError`. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    return (await this.#caller.call(method, path, options)).data;
  }

  /** Closes idle connections. */
  close(): void {
    this.#caller.close();
  }

  #watch(opened: OpenedLogin, signal: AbortSignal | undefined): Login {
    const { stream_id: id, after } = opened;
    const cancel = async () => void (await this.call("DELETE", `/key-handshake/${encodeURIComponent(id)}`));
    return new Login(opened, { events: this.events(id, { after, signal, patience: PATIENCE }), cancel });
  }
}

function transportOf(options: PorticoOptions): Transport {
  if ("socket" in options) {
    if (typeof options.socket !== "string" || options.socket === "") {
      throw new PorticoError("bad_options", "socket: the path of Portico's Unix socket is missing");
    }
    return nodeTransport({ socket: options.socket });
  }
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new PorticoError("bad_options", "url: must be an address like http://127.0.0.1:3000");
  }
  if (url.username !== "" || url.password !== "") {
    throw new PorticoError("bad_options", "url: must not contain a user or a password; use `token`");
  }
  return options.fetch ? fetchTransport(url, options.fetch) : nodeTransport({ url });
}

/** HTTP clients repeat an invalid header in their error texts. So a token that cannot be in a header stops here. */
function tokenOf(token: string): string {
  if (typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new PorticoError("bad_options", "token: must be visible ASCII characters, without blanks or line ends");
}

/** The fields of an error besides its code. */
export interface ErrorFacts {
  /** The HTTP status; 0 if no answer came. */
  status?: number;
  /** Seconds to wait before the next try. */
  retryAfter?: number | undefined;
  /** A second code, if the first one leaves the reason open. */
  detail?: string | undefined;
  /** Only the access token has expired: `refresh` returns a new one. */
  renewable?: boolean | undefined;
}

/**
 * The daemon rejected the request, or did not answer. `code` is the daemon's, such as `token_expired`, or one of the
 * client's own:
 *
 * - `unreachable`: the client cannot connect (status 0)
 * - `no_answer`: the daemon did not answer in time (status 0)
 * - `malformed_answer`: the answer is not one of the daemon
 * - `bad_options`: an option of the client is wrong
 *
 * It never contains a token, a stream id or the body of an answer.
 */
export class PorticoError extends Error {
  readonly code: string;
  /** The HTTP status of the answer; 0 without an answer. If the error is about a request to your app: your answer. */
  readonly status: number;
  /** Seconds to wait before the next try, if the daemon said so. */
  readonly retryAfter: number | undefined;
  readonly detail: string | undefined;
  readonly renewable: boolean;

  constructor(code: string, message: string, facts: ErrorFacts = {}) {
    super(message);
    this.code = code;
    this.status = facts.status ?? 0;
    this.retryAfter = facts.retryAfter;
    this.detail = facts.detail;
    this.renewable = facts.renewable ?? false;
  }

  static {
    this.prototype.name = "PorticoError";
  }

  /** Whether the same request may succeed later, because the daemon restarts, is overloaded, or was too slow. */
  get isPassing(): boolean {
    return PASSING_CODES.has(this.code) || PASSING_STATUSES.has(this.status);
  }
}

const PASSING_CODES = new Set(["unreachable", "no_answer"]);
const PASSING_STATUSES = new Set([408, 429, 502, 503, 504]);

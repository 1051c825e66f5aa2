import { CHECK_TIMEOUT, type Caller } from "./caller.js";
import type { NewToken, Question, Revoked, Verdict, VerifiedToken } from "./types.js";

/** Tokens of wallets, and tokens that this service issues. */
export class Jwt {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The claims of a token, if it is valid. With `session: true` its session must also be open and its user enabled.
   * Throws `PorticoError` with the reason, such as `token_expired`.
   */
  async verify(question: Question): Promise<VerifiedToken> {
    return (await this.#ask(question, CHECK_TIMEOUT)) as VerifiedToken;
  }

  /** Answers up to 1,000 questions, in their order. */
  async verifyMany(questions: Question[]): Promise<Verdict[]> {
    return (await this.#ask(questions)) as Verdict[];
  }

  /** Issues a token, signed by this service. */
  async issue(token: NewToken): Promise<string> {
    const { data } = await this.#caller.call("POST", "/jwt/issue", { body: token });
    return (data as { token: string }).token;
  }

  /** Revokes a token, and ends the sessions that depend on it. */
  async revoke(token: string): Promise<Revoked> {
    return (await this.#caller.call("POST", "/jwt/revoke", { body: { token } })).data as Revoked;
  }

  async #ask(body: Question | Question[], timeout?: number): Promise<unknown> {
    const options = { body, repeatable: true, ...(timeout === undefined ? {} : { timeout }) };
    return (await this.#caller.call("POST", "/jwt/verify", options)).data;
  }
}

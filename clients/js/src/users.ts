import type { Answer, Caller } from "./caller.js";
import type { Invitation, KeptSession, User, UserChange, UserFilter } from "./types.js";

/** A user, and the revision of this answer. */
export interface FoundUser {
  user: User;
  /** Pass it to `change` or `delete` as `ifMatch`: the call fails with 412 if somebody changed the user since. */
  etag: string;
}

/** A condition of a change. */
export interface Condition {
  /** The `etag` of the user as you read them. */
  ifMatch?: string;
}

/** Users and their sessions, for operators. */
export class Users {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** All users that match, page by page. */
  async *list(filter: UserFilter = {}): AsyncGenerator<User, void, void> {
    for await (const page of this.#pages("/users", filter)) yield* page["users"] as User[];
  }

  /** Throws `no_such_user`. */
  async get(id: string): Promise<FoundUser> {
    return found(await this.#caller.call("GET", pathOf(id)));
  }

  /** Adds a user before the first login of their wallet. Throws `user_exists`. */
  async invite(invitation: Invitation): Promise<FoundUser> {
    return found(await this.#caller.call("POST", "/users", { body: invitation }));
  }

  /** Changes the fields that you name, from the next check on. Throws `no_such_user`, `precondition_failed`. */
  async change(id: string, change: UserChange, condition: Condition = {}): Promise<FoundUser> {
    return found(await this.#caller.call("PATCH", pathOf(id), { body: change, headers: headersOf(condition) }));
  }

  /** Ends all sessions and deletes the user, who can log in again as a new one. To prevent that, set `disabled`. */
  async delete(id: string, condition: Condition = {}): Promise<void> {
    await this.#caller.call("DELETE", pathOf(id), { headers: headersOf(condition) });
  }

  /** All sessions of a user, open ones and ended ones. */
  async *sessions(id: string): AsyncGenerator<KeptSession, void, void> {
    for await (const page of this.#pages(`${pathOf(id)}/sessions`, {})) yield* page["sessions"] as KeptSession[];
  }

  /** Ends every session of a user. Returns how many there were. */
  async revokeSessions(id: string): Promise<number> {
    return revoked(await this.#caller.call("POST", `${pathOf(id)}/revoke-sessions`));
  }

  /** Ends one session. Returns 0 if it had ended before. */
  async revokeSession(sessionId: string): Promise<number> {
    return revoked(await this.#caller.call("DELETE", `/sessions/${encodeURIComponent(sessionId)}`));
  }

  async *#pages(path: string, filter: UserFilter): AsyncGenerator<Record<string, unknown>, void, void> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, String(value));
    for (;;) {
      const page = (await this.#caller.call("GET", `${path}?${query}`)).data as Record<string, unknown>;
      yield page;
      if (typeof page["next_cursor"] !== "string") return;
      query.set("cursor", page["next_cursor"]);
    }
  }
}

function pathOf(id: string): string {
  return `/users/${encodeURIComponent(id)}`;
}

function headersOf({ ifMatch }: Condition): Record<string, string> {
  return ifMatch === undefined ? {} : { "if-match": ifMatch };
}

function found({ data, etag }: Answer): FoundUser {
  return { user: (data as { user: User }).user, etag: etag ?? "" };
}

function revoked({ data }: Answer): number {
  return (data as { revoked: number }).revoked;
}

/**
 * The daemon's own words for what it takes and answers. They are generated from its `openapi.json`, so field names are
 * those of the API: `access_token`, `wallet_id`.
 */
import type { components, operations } from "./generated/openapi.js";

type Schemas = components["schemas"];

/** A user as a login or a check shows them. */
export type Member = Schemas["Member"];
/** A user as an operator sees them. */
export type User = Schemas["User"];
/** A session that is open: its id, and when it expires (RFC 3339). */
export type OpenSession = Schemas["OpenSession"];
/** A session of the past or the present. */
export type KeptSession = Schemas["KeptSession"];
/** A session with its access token. `expires_in` is in seconds. */
export type LoggedIn = Schemas["LoggedIn"];
/** The two tokens that a request to your app carries. */
export type Shown = Schemas["Shown"];
/** The answer to a check: who it is, and what both tokens say. */
export type Checked = Schemas["Checked"];
/** What a renewal needs: the wallet's credential, and the old access token if there is one. */
export type Renewal = Schemas["Renewal"];
/** What a logout needs: one of the two tokens. `all: true` ends every session of the user. */
export type Logout = Schemas["Logout"];
/** The verified claims of a wallet's token. Times are in seconds since 1970. */
export type WalletClaims = Schemas["Session"];
/** A token that holds. `target_key` is the user if you asked with the key of your service. */
export type VerifiedToken = Schemas["VerifiedToken"];
/** A question about one token. */
export type Question = Schemas["Question"];
/** The answer to one of several questions. */
export type Verdict = Schemas["VerifiedTokens"][number];
/** What to issue. */
export type NewToken = Schemas["NewToken"];
/** Whether a token was revoked now or before. */
export type Revoked = Schemas["Revoked"];
/** A user to be. */
export type Invitation = Schemas["Invitation"];
/** What to change of a user. A field that is left out stays. */
export type UserChange = Schemas["UserChange"];
/** A login URL as the daemon opened it. */
export type OpenedLogin = Schemas["OpenedLogin"];
/** The service: its public key (hex), version and commit. */
export type Info = Schemas["Info"];
/** Whether logins reach the daemon. */
export type Ready = Schemas["Ready"];
/** Which users to list. `limit` is at most 1,000. */
export type UserFilter = NonNullable<operations["users"]["parameters"]["query"]>;

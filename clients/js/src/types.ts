/**
 * The types of the daemon's requests and answers. They are generated from its `openapi.json`, so field names are those
 * of the API: `access_token`, `wallet_id`.
 */
import type { components, operations } from "./generated/openapi.js";

type Schemas = components["schemas"];

/** A user, as a login or a check returns them. */
export type Member = Schemas["Member"];
/** A user, as operators read them. */
export type User = Schemas["User"];
/** A session that is open: its id, and when it expires (RFC 3339). */
export type OpenSession = Schemas["OpenSession"];
/** A session, open or ended. */
export type KeptSession = Schemas["KeptSession"];
/** A session with its access token. `expires_in` is in seconds. */
export type LoggedIn = Schemas["LoggedIn"];
/** The two tokens that a request to your app carries. */
export type Shown = Schemas["Shown"];
/** The answer to a check: the user, and the claims of both tokens. */
export type Checked = Schemas["Checked"];
/** The body of a renewal: the wallet's credential, and the old access token if there is one. */
export type Renewal = Schemas["Renewal"];
/** The body of a logout: one of the two tokens. `all: true` ends every session of the user. */
export type Logout = Schemas["Logout"];
/** A login on Portico's sign-in page. `login` is there if sessions are on. */
export type WebLogin = Schemas["WebLogin"];
/** The verified claims of a wallet's token. Times are in seconds since 1970. */
export type WalletClaims = Schemas["Session"];
/** A valid token. `target_key` is the user if you asked with the key of your service. */
export type VerifiedToken = Schemas["VerifiedToken"];
/** A question about one token. */
export type Question = Schemas["Question"];
/** The answer to one of several questions. */
export type Verdict = Schemas["VerifiedTokens"][number];
/** A token to issue. */
export type NewToken = Schemas["NewToken"];
/** The result of a revocation: whether the token had been revoked before. */
export type Revoked = Schemas["Revoked"];
/** A user to invite. */
export type Invitation = Schemas["Invitation"];
/** Changes of a user. A field that is missing stays as it is. */
export type UserChange = Schemas["UserChange"];
/** A login URL that the daemon opened. */
export type OpenedLogin = Schemas["OpenedLogin"];
/** The service: its public key (hex), version and commit. */
export type Info = Schemas["Info"];
/** Whether the daemon can receive logins. */
export type Ready = Schemas["Ready"];
/** Which users to list. `limit` is at most 1,000. */
export type UserFilter = NonNullable<operations["users"]["parameters"]["query"]>;

# Generated from the daemon's `openapi.json`: run `datamodel-codegen` in clients/python.
"""The types of the daemon's requests and answers."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from typing_extensions import NotRequired, TypedDict


PublicKey: TypeAlias = str
"""
A public key in an answer: hex.
"""


GivenKey: TypeAlias = str
"""
A public key in a request: 64 hex digits, or npub1… (NIP-19).
"""


StreamId: TypeAlias = str


StreamName: TypeAlias = StreamId | Literal["recurring-payment-close"]


Token: TypeAlias = str
"""
A compact JWS signed with ES256K (RFC 8812). A secret: its holder is logged in.
"""


class NewHandshake(TypedDict):
    static_token: NotRequired[str | None]
    """
    A token of your own: the URL serves any number of users until you cancel it.
    """
    no_request: NotRequired[bool | None]
    """
    Tells the wallet that no challenge will follow.
    """


class NewLogin(TypedDict, closed=True):
    static_token: NotRequired[str | None]
    """
    A token of your own: the URL serves any number of users until you cancel it.
    """


class Opened(TypedDict, closed=True):
    url: str
    """
    The content of the QR code.
    """
    stream_id: StreamId
    after: int
    """
    Index of the stream's latest event. Later events come after it.
    """


class OpenedLogin(TypedDict, closed=True):
    url: str
    """
    The content of the QR code.
    """
    stream_id: StreamId
    after: int
    """
    Index of the stream's latest event. Later events come after it.
    """
    relays_ready: int
    """
    How many relays are subscribed now. While it is 0, nobody can scan the URL.
    """


class WhoIs(TypedDict):
    main_key: GivenKey
    subkeys: NotRequired[list[GivenKey]]


class Stream(TypedDict, closed=True):
    stream_id: StreamId


class Session(TypedDict, closed=True):
    """
    Verified claims: the signer, the subject and the audience. Times in seconds since the Unix epoch (RFC 7519).
    """

    issuer: PublicKey
    subject: PublicKey
    audience: PublicKey
    issued_at: int | None
    not_before: int | None
    expires_at: int


class KeyHandshakeEvent(TypedDict, closed=True):
    """
    A wallet scanned the URL.
    """

    index: int
    """
    1, 2, 3 … without gaps.
    """
    timestamp: str
    type: Literal["key_handshake"]
    main_key: PublicKey
    preferred_relays: list[str]


class Approval(TypedDict, closed=True):
    """
    The user approved.
    """

    status: Literal["approved"]
    granted_permissions: list[str]
    session_token: Token


class Denial(TypedDict, closed=True):
    """
    The user declined.
    """

    status: Literal["declined"]
    reason: NotRequired[str | None]


TokenErrorCode: TypeAlias = Literal[
    "malformed_token",
    "unsupported_algorithm",
    "invalid_signature",
    "malformed_claims",
    "token_expired",
    "token_not_yet_valid",
    "issued_in_future",
    "lifetime_too_long",
    "token_revoked",
    "unknown_wallet",
    "wrong_audience",
]


class ErrorEvent(TypedDict, closed=True):
    """
    The request failed.
    """

    index: int
    """
    1, 2, 3 … without gaps.
    """
    timestamp: str
    type: Literal["error"]
    reason: str
    """
    For people.
    """
    request: NotRequired[Literal["key_handshake"]]
    """
    The request that failed, if it was `POST /key-handshake`.
    """
    code: Literal[
        "timed_out",
        "no_relay",
        "session_token_invalid",
        "cancelled",
        "user_disabled",
        "user_not_listed",
        "too_many_requests",
    ]
    detail: NotRequired[TokenErrorCode]
    user_key: NotRequired[PublicKey]


class ShownCode(TypedDict, closed=True):
    app: str
    """
    The id of the app in the configuration.
    """
    code: str
    """
    The parameter `code` with which the browser came back.
    """


EthereumAddress: TypeAlias = str
"""
If it has capitals, they must be those of EIP-55.
"""


class ThirdwebPayload(TypedDict):
    """
    The fields of the text, with the names of thirdweb.
    """

    type: NotRequired[Literal["evm"] | None]
    address: str
    chain_id: NotRequired[str | None]
    domain: str
    expiration_time: str
    invalid_before: str
    issued_at: str
    nonce: str
    resources: NotRequired[list[str] | None]
    statement: str
    uri: NotRequired[str | None]
    version: str


class ThirdwebOffer(TypedDict, closed=True):
    payload: ThirdwebPayload
    message: str
    """
    The text to sign (EIP-191).
    """


class SignedThirdwebPayload(TypedDict, closed=True):
    payload: ThirdwebPayload
    signature: str
    """
    r, s and v.
    """


class NewToken(TypedDict):
    """
    `portal` and `jwt` need `target_key` and `duration_hours`, `thirdweb` needs `address` or `token`.
    """

    target_key: NotRequired[GivenKey]
    duration_hours: NotRequired[int | None]
    """
    For a `thirdweb` token, `wallets.thirdweb.token_lifetime` by default.
    """
    format: NotRequired[Literal["portal", "jwt", "thirdweb"]]
    """
    `portal`: as wallets make them. `jwt`: a standard JWT (RFC 9068) that any JOSE library verifies. `thirdweb`: a thirdweb token, under the key of an admin wallet.
    """
    address: NotRequired[str | None]
    """
    The wallet of a `thirdweb` token. If it has capitals, they must be those of EIP-55.
    """
    token: NotRequired[str | None]
    """
    A valid `thirdweb` token that the new one replaces: for the same wallet, with the same `ctx` unless another is given.
    """
    ctx: NotRequired[Any]
    """
    Additional data for the app in a `thirdweb` token.
    """
    audience: NotRequired[str | None]
    """
    The audience of a `jwt`; `access.audience` by default. Visible ASCII except `"` and `\\`.
    """
    scope: NotRequired[str | None]
    """
    The scope of a `jwt`: names with single blanks between (RFC 6749 §3.3).
    """


class IssuedToken(TypedDict, closed=True):
    token: str
    """
    A Token, an AccessToken if `format` was `jwt`, or a thirdweb token.
    """


class Question1(TypedDict):
    pubkey: GivenKey
    public_key: NotRequired[GivenKey]
    token: Token
    session: NotRequired[bool]
    """
    Whether the session that the wallet's token began here must be open too, and its user enabled.
    """


class Question2(TypedDict):
    pubkey: NotRequired[GivenKey]
    public_key: GivenKey
    token: Token
    session: NotRequired[bool]
    """
    Whether the session that the wallet's token began here must be open too, and its user enabled.
    """


Question: TypeAlias = Question1 | Question2


AskedQuestion: TypeAlias = Question | Any
"""
A question of several. If it is none, the answer in its place is an error.
"""


class GivenToken(TypedDict):
    token: Token


class Revoked(TypedDict, closed=True):
    revoked: Literal[True]
    already_revoked: bool


class Profile(TypedDict, closed=True):
    name: str | None
    display_name: str | None
    picture: str | None
    nip05: str | None


class Nip05Profile(TypedDict, closed=True):
    public_key: PublicKey
    relays: list[str]
    name: str | None
    display_name: str | None
    picture: str | None
    nip05: str | None


class FoundProfile(TypedDict, closed=True):
    profile: Profile | None


class FoundNip05Profile(TypedDict, closed=True):
    profile: Nip05Profile


class Relay(TypedDict, closed=True):
    relay: str


class RelayReport(TypedDict):
    relay: str
    origin: Literal["configured", "added", "preferred"]
    state: Literal["connecting", "subscribing", "ready", "paused", "removed"]
    latency_ms: float | None
    """
    Of its last ping.
    """
    last_error: str | None
    """
    Why it is not ready, or was not. Null while it is ready.
    """
    last_error_code: (
        Literal[
            "no_host",
            "unresolved",
            "private_address",
            "unreachable",
            "not_websocket",
            "websocket_protocol",
            "timed_out",
            "lost",
            "hostile",
            "subscription_closed",
            "objection",
            "unconfirmed",
            "tls_certificate_expired",
            "tls_certificate_not_yet_valid",
            "tls_certificate_wrong_name",
            "tls_unknown_issuer",
            "tls_ca_certificate",
            "tls_bad_certificate",
            "tls_old_version",
            "tls_not_spoken",
            "tls_handshake_ended",
            "tls_failed",
        ]
        | None
    )
    """
    The same as a code, for programs.
    """
    last_notice: str | None
    """
    Its last `NOTICE`.
    """
    last_refusal: str | None
    """
    Why it last refused an event (`OK` with `false`). Empty if it gave no reason.
    """
    closed: int
    """
    How often the relay closed the subscription, did not confirm it, or may have ended it.
    """
    notices: int
    sent: int
    accepted: int
    refused: int
    received: int
    forged: int


class RelayReports(TypedDict, closed=True):
    relays: list[RelayReport]


UserId: TypeAlias = str


AccessToken: TypeAlias = str
"""
A JWT (RFC 9068). A secret.
"""


class UserRequest(TypedDict, closed=True):
    """
    The user's request to your app that contained the credential. NIP-98 is bound to it; other wallets' credentials are not.
    """

    method: str
    """
    `GET`, `POST`, …
    """
    target: str
    """
    Path and query, exactly as in the request line.
    """
    body_sha256: NotRequired[str | None]
    """
    The SHA-256 of its body, if it has one.
    """


class NewSession(TypedDict, closed=True):
    credential: NotRequired[str | None]
    """
    The wallet's credential: for a Portal wallet, its session token. If it is missing on the Unix socket, `Authorization: Nostr …` of this request is used.
    """
    provider: NotRequired[str | None]
    request: NotRequired[UserRequest | None]


class Shown(TypedDict, closed=True):
    """
    The tokens of a user. `provider` is the provider of the credential; by default that of the session, else `portal`.
    """

    access_token: NotRequired[str | None]
    credential: NotRequired[str | None]
    provider: NotRequired[str | None]
    request: NotRequired[UserRequest | None]


class Renewal(TypedDict, closed=True):
    """
    The access token may have expired. Without one, the session is the one that the credential began.
    """

    access_token: NotRequired[str | None]
    credential: str
    provider: NotRequired[str | None]
    request: NotRequired[UserRequest | None]


class Logout(TypedDict, closed=True):
    """
    The access token may have expired. Without one, the credential must be valid.
    """

    access_token: NotRequired[str | None]
    credential: NotRequired[str | None]
    provider: NotRequired[str | None]
    request: NotRequired[UserRequest | None]
    all: NotRequired[bool]
    """
    End every session of the user, not only this one.
    """


class Member(TypedDict, closed=True):
    """
    The user who logged in.
    """

    id: UserId
    provider: str
    wallet_id: str
    auth_method: str
    auth_identifier: str
    username: str | None
    email: str | None
    roles: list[str]
    permissions: list[str]


class OpenSession(TypedDict, closed=True):
    """
    An open session. Its id is that of the stream that reports its end.
    """

    id: StreamId
    expires_at: str


class LoggedIn(TypedDict, closed=True):
    """
    A session and its access token (RFC 6749 §5.1).
    """

    access_token: AccessToken
    token_type: Literal["Bearer"]
    expires_in: int
    """
    Seconds.
    """
    session: OpenSession
    user: Member


class AccessClaims(TypedDict, closed=True):
    """
    The claims of a session's access token. Times in seconds since the Unix epoch (RFC 7519).
    """

    iss: str
    sub: str
    """
    The internal id of the user, or the key of a service.
    """
    aud: str
    iat: int
    nbf: int
    exp: int
    jti: str
    sid: StreamId
    wallet_id: str
    provider: str
    auth_method: str
    auth_identifier: str
    roles: list[str]
    permissions: list[str]
    target_key: NotRequired[PublicKey]


class Wallet1(TypedDict, closed=True):
    id: NotRequired[str]
    type: str
    address: str


class Wallet(TypedDict, closed=True):
    """
    What the wallet's provider verified about the credential. `null`: the request has no credential, and none is required.
    """

    provider: str
    wallet_id: str
    auth_method: str
    auth_identifier: str
    issued_at: str | None
    expires_at: str
    wallets: list[Wallet1]
    claims: Any
    """
    The claims of the credential, as its provider verified them.
    """


class Checked(TypedDict, closed=True):
    active: Literal[True]
    user: Member
    session: OpenSession
    claims: AccessClaims | None
    """
    `null`: the request has no access token, and none is required.
    """
    wallet: Wallet | None
    """
    What the wallet's provider verified about the credential. `null`: the request has no credential, and none is required.
    """


AccessErrorCode: TypeAlias = Literal[
    "malformed_token",
    "unsupported_algorithm",
    "unknown_key",
    "invalid_signature",
    "malformed_claims",
    "wrong_issuer",
    "wrong_audience",
    "token_expired",
    "token_not_yet_valid",
    "issued_in_future",
]


class RevokedSessions(TypedDict, closed=True):
    revoked: int
    """
    How many sessions ended.
    """


class User(TypedDict, closed=True):
    """
    A user as operators see them.
    """

    id: UserId
    provider: str
    wallet_id: str
    auth_method: str
    auth_identifier: str
    username: str | None
    email: str | None
    roles: list[str]
    permissions: list[str]
    disabled: bool
    created_at: str
    last_login: str | None
    """
    `null` before the first login.
    """
    logins: int


class Users(TypedDict, closed=True):
    users: list[User]
    next_cursor: str | None


class FoundUser(TypedDict, closed=True):
    user: User


Names: TypeAlias = list[str]
"""
All of them. Together at most 1,024 bytes, with one more counted for each.
"""


class DeletedUser(TypedDict, closed=True):
    deleted: Literal[True]
    revoked: int
    """
    How many sessions ended.
    """


SessionEnd: TypeAlias = Literal[
    "logout", "logout_all", "operator", "user_disabled", "user_deleted", "superseded", "oauth", "credential_revoked"
]


class KeptSession(TypedDict, closed=True):
    """
    A session, ended or not.
    """

    id: StreamId
    created_at: str
    expires_at: str
    revoked_at: str | None
    reason: SessionEnd | None


class KeptSessions(TypedDict, closed=True):
    sessions: list[KeptSession]
    next_cursor: str | None


AuditKind: TypeAlias = Literal[
    "login",
    "login_refused",
    "refresh_refused",
    "session_mismatch",
    "sessions_revoked",
    "user_invited",
    "user_changed",
    "user_deleted",
    "keys_rotated",
    "api_token_made",
    "api_token_revoked",
    "token_issued",
    "token_revoked",
    "relay_added",
    "relay_removed",
    "webhooks_retried",
    "webhooks_dropped",
    "profile_set",
    "web_code_refused",
]


class AuditRecord(TypedDict, closed=True):
    """
    Contains no token.
    """

    number: int
    timestamp: str
    kind: AuditKind
    user_id: str | None
    session_id: str | None
    provider: str | None
    wallet_id: str | None
    reason: str | None
    """
    A code.
    """
    detail: dict[str, Any] | None
    """
    The changed fields, before and after; or the id of a new key; or the name of an API token, and its rights.
    """
    actor: str
    """
    The caller.
    """


class Audit(TypedDict, closed=True):
    records: list[AuditRecord]
    next_cursor: str | None


Algorithm: TypeAlias = Literal["ES256", "EdDSA", "ES256K"]


class SigningKey(TypedDict, closed=True):
    kid: str
    """
    The SHA-256 thumbprint of the key (RFC 7638).
    """
    alg: Algorithm
    state: Literal["signs", "next", "retired"]
    """
    `next` is published already, and signs after the next rotation.
    """
    created_at: str
    retired_at: str | None
    """
    Until when it signed; `null` if it is not `retired`.
    """


class SigningKeys(TypedDict, closed=True):
    keys: list[SigningKey]


class RotatedKey(TypedDict, closed=True):
    key: SigningKey


ApiTokenName: TypeAlias = str


Right: TypeAlias = Literal["check", "login", "issue", "operate"]


class NewApiToken(TypedDict, closed=True):
    name: ApiTokenName
    may: list[Literal["check", "login", "issue", "operate", "all"]]
    """
    Only rights that the caller has.
    """
    expires_in: NotRequired[int | None]
    """
    Seconds. `null`: until it is revoked, or until the caller's own token expires.
    """


class ApiToken(TypedDict, closed=True):
    """
    An API token without its secret.
    """

    id: str
    """
    Its public part, which no other token ever has. The audit and the log name its holder `token:NAME#ID`.
    """
    name: ApiTokenName
    may: list[Right]
    created_by: str
    """
    The caller who made it.
    """
    created_at: str
    expires_at: str | None
    """
    `null`: it does not expire.
    """
    last_used_at: str | None
    """
    `null`: nobody has used it.
    """
    expired: bool


class ApiTokens(TypedDict, closed=True):
    tokens: list[ApiToken]


class MadeApiToken(TypedDict, closed=True):
    token: str
    """
    For `Authorization: Bearer`. Portico keeps only a hash of it.
    """
    api_token: ApiToken


class RevokedApiToken(TypedDict, closed=True):
    revoked: Literal[True]


class Jwk(TypedDict, closed=True):
    kty: Literal["EC", "OKP"]
    crv: Literal["P-256", "Ed25519", "secp256k1"]
    x: str
    y: NotRequired[str]
    use: Literal["sig"]
    alg: Algorithm
    kid: str


class JwkSet(TypedDict, closed=True):
    keys: list[Jwk]


class TokenForm(TypedDict):
    token: str
    token_type_hint: NotRequired[str]


class Introspection1(TypedDict, closed=True):
    active: Literal[False]


class Introspection2(TypedDict, closed=True):
    active: Literal[True]
    token_type: Literal["Bearer"]
    iss: str
    sub: str
    aud: str
    iat: NotRequired[int | None]
    nbf: NotRequired[int | None]
    exp: int
    jti: NotRequired[str]
    sid: NotRequired[StreamId]
    wallet_id: NotRequired[str]
    provider: NotRequired[str]
    auth_method: NotRequired[str]
    auth_identifier: NotRequired[str]
    username: NotRequired[str]
    roles: NotRequired[list[str]]
    permissions: NotRequired[list[str]]
    target_key: NotRequired[PublicKey]
    scope: NotRequired[str]
    client_id: NotRequired[str]


Introspection: TypeAlias = Introspection1 | Introspection2


class OauthError(TypedDict, closed=True):
    error: Literal["invalid_request", "server_error"]
    error_description: str


class Scope(TypedDict, closed=True):
    stream_id: NotRequired[str | None]


class DropScope(TypedDict, closed=True):
    """
    Either one stream, or all of them.
    """

    stream_id: NotRequired[str | None]
    all: NotRequired[bool]


class Delivery(TypedDict, closed=True):
    stream_id: StreamId
    index: int
    state: Literal["waiting", "failed"]
    attempts: int
    since: str
    next_at: str | None
    failed_at: str | None
    last_error: str | None


class Deliveries(TypedDict, closed=True):
    enabled: bool
    waiting: int
    failed: int
    deliveries: list[Delivery]


class Retried(TypedDict, closed=True):
    retried: int


class Dropped(TypedDict, closed=True):
    dropped: int


class Version(TypedDict, closed=True):
    version: str
    git_commit: str


class Info(TypedDict, closed=True):
    public_key: PublicKey
    version: str
    git_commit: str


class Profile1(TypedDict, closed=True):
    """
    What Portal's wallet shows of this service. Null until a relay was asked.
    """

    wallet_shows: str | None
    """
    The name; null: "Unknown Service".
    """
    problem: str | None
    """
    Why it shows no name, for people.
    """
    published_elsewhere: bool
    """
    The relays have a newer profile of this key that was not published from here.
    """


class Ready(TypedDict, closed=True):
    ready: Literal[True]
    relays_ready: int
    profile: Profile1 | None
    """
    What Portal's wallet shows of this service. Null until a relay was asked.
    """


GivenTime: TypeAlias = str
"""
A time from 1970 on, in UTC (RFC 3339).
"""


OneLine: TypeAlias = str
"""
At most 256 bytes, without characters that are invisible or turn the text around.
"""


EntityTags: TypeAlias = str
"""
`*`, or entity tags like `"7"` with commas between (RFC 9110 §8.8.3).
"""


RelayUrl: TypeAlias = str
"""
`wss://relay.example`
"""


Nip05Names: TypeAlias = dict[str, PublicKey]
"""
Names, each with its key.
"""


Nip05Relays: TypeAlias = dict[str, list[str]]
"""
Keys, each with its relays.
"""


class Failure(TypedDict, closed=True):
    success: Literal[False]
    error: str
    """
    For people.
    """
    code: str
    """
    For programs.
    """
    detail: NotRequired[AccessErrorCode]
    """
    A second code, if `code` leaves the reason open.
    """
    renewable: NotRequired[bool]
    """
    Only the access token has expired: `POST /auth/refresh` gives a new one.
    """


class AuthenticateKeyEvent(TypedDict, closed=True):
    """
    The user answered. An approval has its verified claims.
    """

    index: int
    """
    1, 2, 3 … without gaps.
    """
    timestamp: str
    type: Literal["authenticate_key"]
    user_key: PublicKey
    recipient: PublicKey
    challenge: str
    status: Approval | Denial
    session: NotRequired[Session]
    login: NotRequired[LoggedIn]
    """
    The new session of an approval: on a login URL, if sessions are on.
    """


class SessionCreatedEvent(TypedDict, closed=True):
    """
    A session began. Its id is that of the stream.
    """

    index: int
    """
    1, 2, 3 … without gaps.
    """
    timestamp: str
    type: Literal["session_created"]
    user_id: UserId
    provider: str
    wallet_id: str
    expires_at: str


class SessionRevokedEvent(TypedDict, closed=True):
    """
    A session was ended before it expired.
    """

    index: int
    """
    1, 2, 3 … without gaps.
    """
    timestamp: str
    type: Literal["session_revoked"]
    user_id: UserId
    reason: SessionEnd


Event: TypeAlias = KeyHandshakeEvent | AuthenticateKeyEvent | SessionCreatedEvent | SessionRevokedEvent | ErrorEvent


class Events(TypedDict, closed=True):
    stream_id: StreamName
    events: list[Event]
    ended: bool


class WebLogin(TypedDict, closed=True):
    """
    The login of a user on the sign-in page.
    """

    user_key: PublicKey
    session_token: Token
    """
    The wallet's credential.
    """
    session: Session
    login: NotRequired[LoggedIn]
    """
    The new session, if sessions are on.
    """


class NewThirdwebPayload(TypedDict, closed=True):
    address: EthereumAddress
    chain_id: NotRequired[int | str | None]
    """
    One of `wallets.thirdweb.chain_ids`, if there are any; by default the first of them.
    """


class ThirdwebLogin(TypedDict, closed=True):
    token: str
    """
    A thirdweb token, which is also the credential of the session.
    """
    login: NotRequired[LoggedIn]


class VerifiedToken(TypedDict, closed=True):
    target_key: PublicKey
    issuer: PublicKey
    subject: PublicKey
    audience: PublicKey
    issued_at: int | None
    not_before: int | None
    expires_at: int
    token_type: Literal["wallet", "service"]
    """
    Who signed the token. The token does not say. If `pubkey` is another key than this service's, `service` means that `target_key` logged in here as a wallet and `pubkey` did not. Any other such token is `wallet`. This is certain only if the token is for this service, or if `pubkey` logged in here.
    """
    user: NotRequired[Member]
    session: NotRequired[OpenSession]


class VerifiedTokens1(TypedDict, closed=True):
    success: Literal[True]
    data: VerifiedToken


VerifiedTokens: TypeAlias = list[VerifiedTokens1 | Failure]


class GivenRelay(TypedDict):
    relay: RelayUrl


class Invitation(TypedDict, closed=True):
    """
    A new user, and the wallet.
    """

    wallet_id: str
    """
    The provider's name for it; Nostr keys as hex or npub.
    """
    provider: NotRequired[str | None]
    """
    The default provider if missing.
    """
    username: NotRequired[OneLine | None]
    email: NotRequired[OneLine | None]
    roles: NotRequired[list[str]]
    permissions: NotRequired[list[str]]


class UserChange(TypedDict, closed=True):
    """
    A missing field stays as it is. `null` removes a name or an email address.
    """

    username: NotRequired[OneLine | None]
    email: NotRequired[OneLine | None]
    roles: NotRequired[Names]
    permissions: NotRequired[Names]
    disabled: NotRequired[bool]


class Nip05Document(TypedDict):
    names: Nip05Names
    relays: NotRequired[Nip05Relays]

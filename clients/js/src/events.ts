/** The events of a stream. `type` says which one it is. */
import type { LoggedIn, WalletClaims } from "./types.js";

/** The fields of every event. */
interface Numbered {
  /** 1, 2, 3 … within the stream, without gaps. */
  index: number;
  /** RFC 3339. */
  timestamp: string;
}

/** A wallet scanned the URL. */
export interface KeyHandshakeEvent extends Numbered {
  type: "key_handshake";
  /** The user's public key, in hex. */
  main_key: string;
  preferred_relays: string[];
}

/** The user's answer. */
export type AnswerStatus =
  | { status: "approved"; granted_permissions: string[]; session_token: string }
  | { status: "declined"; reason?: string | null };

/** The user approved or declined. */
export interface AuthenticateKeyEvent extends Numbered {
  type: "authenticate_key";
  /** The user's public key, in hex. */
  user_key: string;
  recipient: string;
  challenge: string;
  status: AnswerStatus;
  /** The verified claims. Only after an approval. */
  session?: WalletClaims;
  /** The session that the approval began. Only on a login URL, and only if sessions are on. */
  login?: LoggedIn;
}

/** Why a request failed. */
export type ErrorEventCode =
  | "timed_out"
  | "no_relay"
  | "session_token_invalid"
  | "cancelled"
  | "user_disabled"
  | "user_not_listed"
  | "too_many_requests";

/** Why a wallet's token is not valid. */
export type TokenErrorCode =
  | "malformed_token"
  | "unsupported_algorithm"
  | "invalid_signature"
  | "malformed_claims"
  | "token_expired"
  | "token_not_yet_valid"
  | "issued_in_future"
  | "lifetime_too_long"
  | "token_revoked"
  | "unknown_wallet"
  | "wrong_audience";

/** The request failed. */
export interface ErrorEvent extends Numbered {
  type: "error";
  /** For people. */
  reason: string;
  code: ErrorEventCode;
  /** What you asked for, if it was only a handshake. */
  request?: "key_handshake";
  /** Why the wallet's token is not valid. */
  detail?: TokenErrorCode;
  /** The public key of the user whose attempt ended, in hex. */
  user_key?: string;
}

/** A session began. Its id is that of the stream. */
export interface SessionCreatedEvent extends Numbered {
  type: "session_created";
  user_id: string;
  provider: string;
  wallet_id: string;
  /** RFC 3339. */
  expires_at: string;
}

/** Why a session ended early. */
export type SessionEnd =
  | "logout"
  | "logout_all"
  | "operator"
  | "oauth"
  | "superseded"
  | "user_disabled"
  | "user_deleted"
  | "credential_revoked";

/** Somebody ended the session before it expired. */
export interface SessionRevokedEvent extends Numbered {
  type: "session_revoked";
  user_id: string;
  reason: SessionEnd;
}

/** Any event. */
export type PorticoEvent =
  | KeyHandshakeEvent
  | AuthenticateKeyEvent
  | ErrorEvent
  | SessionCreatedEvent
  | SessionRevokedEvent;

/** A part of a stream. */
export interface EventPage {
  stream_id: string;
  events: PorticoEvent[];
  /** No further event will come. */
  ended: boolean;
}

/** Checks that a webhook delivery comes from the daemon. */
import { createHmac, timingSafeEqual } from "node:crypto";

import { PorticoError } from "./errors.js";
import type { PorticoEvent } from "./events.js";
import { parseVeiled } from "./veil.js";

/** The headers of a request: those of Node, or those of the Web. */
export type HeaderSource = Headers | Record<string, string | string[] | undefined>;

/** How to check a delivery. */
export interface WebhookOptions {
  /**
   * `standard`, the default: `webhook-signature` (Standard Webhooks), which also covers the time.
   * `portal`: `x-portal-signature`, which covers the body alone: anybody who recorded a delivery can replay it.
   */
  scheme?: "standard" | "portal";
  /** How far a delivery's time may be in the past or the future, in seconds; 300 by default. Only for `standard`. */
  tolerance?: number;
  /** The present time in milliseconds; `Date.now()` by default. */
  now?: number;
}

const REFUSED = { status: 401 };

/** The event in a delivery. */
export type Delivery = PorticoEvent & { stream_id: string };

/**
 * Returns the event in a delivery, if the daemon signed it with this secret. Pass the raw body, before anything parses
 * it. Throws `PorticoError` with the code `invalid_signature`, `too_old`, `too_early`, `bad_options` or
 * `malformed_delivery`: answer with its `status`. A delivery can come twice, with the same `webhook-id`.
 */
export function verifyWebhook(
  body: string | Uint8Array,
  headers: HeaderSource,
  secret: string,
  options: WebhookOptions = {},
): Delivery {
  if (typeof secret !== "string" || secret === "") throw setUp("the webhook's secret is missing");
  const { scheme = "standard", tolerance = 300, now = Date.now() } = options;
  if (scheme === "portal") checkPortal(body, headers, secret);
  else checkStandard(body, headers, secret, tolerance, now);
  try {
    return parseVeiled(typeof body === "string" ? body : Buffer.from(body).toString()) as Delivery;
  } catch {
    throw new PorticoError("malformed_delivery", "the body of the webhook is not JSON", { status: 400 });
  }
}

function checkPortal(body: string | Uint8Array, headers: HeaderSource, secret: string): void {
  const mac = createHmac("sha256", secret).update(body).digest("hex");
  if (!isEqual(header(headers, "x-portal-signature"), mac)) throw invalid("x-portal-signature");
}

function checkStandard(
  body: string | Uint8Array,
  headers: HeaderSource,
  secret: string,
  tolerance: number,
  now: number,
): void {
  const [id, at] = [header(headers, "webhook-id"), header(headers, "webhook-timestamp")];
  const mac = createHmac("sha256", standardKey(secret)).update(`${id}.${at}.`).update(body).digest("base64");
  // A header may contain several signatures, for example of the old secret and of the new one.
  const signatures = header(headers, "webhook-signature").split(" ");
  const matches = signatures.map((signature) => isEqual(signature, `v1,${mac}`));
  if (!matches.includes(true) || !/^\d{1,12}$/.test(at)) throw invalid("webhook-signature");
  const age = now / 1_000 - Number(at);
  if (age > tolerance) throw new PorticoError("too_old", `the webhook was sent more than ${tolerance} s ago`, REFUSED);
  if (age < -tolerance) {
    const message = `the webhook's time is more than ${tolerance} s in the future: compare the clocks`;
    throw new PorticoError("too_early", message, REFUSED);
  }
}

/** The key is the base64 after `whsec_`, decoded. Any other text is the key itself. */
function standardKey(secret: string): Buffer {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (encoded !== undefined) return Buffer.from(encoded, "base64");
  if (secret.startsWith("whsec_")) throw setUp("the webhook's secret begins with whsec_, but the rest is not base64");
  return Buffer.from(secret);
}

/** Compares in constant time. The length of the right signature is no secret. */
function isEqual(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function header(headers: HeaderSource, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  return typeof value === "string" ? value : "";
}

function invalid(name: string): PorticoError {
  return new PorticoError("invalid_signature", `${name} is missing or wrong`, REFUSED);
}

function setUp(message: string): PorticoError {
  return new PorticoError("bad_options", message, { status: 500 });
}

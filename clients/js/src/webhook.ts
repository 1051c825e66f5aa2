/** Webhooks: whether a delivery comes from the daemon. */
import { createHmac, timingSafeEqual } from "node:crypto";

import { PorticoError } from "./errors.js";
import type { PorticoEvent } from "./events.js";
import { parseVeiled } from "./veil.js";

/** Headers of a request, as Node or as the Web has them. */
export type HeaderSource = Headers | Record<string, string | string[] | undefined>;

/** How to check a delivery. */
export interface WebhookOptions {
  /**
   * `standard`, the default: `webhook-signature` (Standard Webhooks), which also covers the time.
   * `portal`: `x-portal-signature`, of the body alone; somebody who recorded a delivery can send it again.
   */
  scheme?: "standard" | "portal";
  /** How old or how far ahead a delivery may be, in seconds; 300 by default. Only for `standard`. */
  tolerance?: number;
  /** The present time in milliseconds; `Date.now()` by default. */
  now?: number;
}

const REFUSED = { status: 401 };

/** An event as a webhook brings it. */
export type Delivery = PorticoEvent & { stream_id: string };

/**
 * The event in a delivery, if the daemon signed it with this secret. Give it the body as it came, before anything
 * parses it. Throws `PorticoError` with the code `invalid_signature`, `too_old`, `too_early`, `bad_options` or
 * `malformed_delivery`; its `status` is what to answer. A delivery can come twice, under the same `webhook-id`.
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
  // A header may hold several signatures: that of the old secret and that of the new one.
  const signatures = header(headers, "webhook-signature").split(" ");
  const matches = signatures.map((signature) => isEqual(signature, `v1,${mac}`));
  if (!matches.includes(true) || !/^\d{1,12}$/.test(at)) throw invalid("webhook-signature");
  const age = now / 1_000 - Number(at);
  if (age > tolerance) throw new PorticoError("too_old", `the webhook was sent more than ${tolerance} s ago`, REFUSED);
  if (age < -tolerance)
    throw new PorticoError("too_early", "the webhook is from the future: compare the clocks", REFUSED);
}

/** `whsec_` and base64 stand for bytes. Any other text is the key itself. */
function standardKey(secret: string): Buffer {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  if (encoded !== undefined) return Buffer.from(encoded, "base64");
  if (secret.startsWith("whsec_")) throw setUp("the webhook's secret is not whsec_ and base64");
  return Buffer.from(secret);
}

/** In constant time. How long the right one is, is known. */
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

/**
 * Hides secrets from `console.log`, and so from most loggers: they print `[redacted]` instead. The program can still
 * read the values as properties.
 */
import { inspect, type InspectOptions } from "node:util";

/** With one of these, anybody is logged in or can log in. `url` is a login URL. */
const SECRETS = new Set(["access_token", "session_token", "token", "credential", "stream_id", "challenge", "url"]);

/** Returns the same object. Its secrets are hidden from `util.inspect`. */
export function veil<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const names = Object.keys(value).filter((name) => SECRETS.has(name));
  if (names.length > 0) {
    // Not enumerable: copies, JSON and comparisons do not see it.
    Object.defineProperty(value, inspect.custom, { value: shown, enumerable: false, configurable: true });
  }
  return value;
}

/** Reads JSON. Every object in it is veiled. Throws a `SyntaxError`. */
export function parseVeiled(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) => veil(value));
}

function shown(this: object, depth: number, options: InspectOptions): string {
  const entries = Object.entries(this).map(([name, value]) => [name, hidden(name, value) ? REDACTED : value]);
  return inspect(Object.fromEntries(entries), { ...options, depth });
}

function hidden(name: string, value: unknown): boolean {
  return SECRETS.has(name) && value !== null && value !== undefined;
}

/** The text that replaces a secret. */
export const REDACTED = "[redacted]";

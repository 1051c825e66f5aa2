/** Follows streams. No event is lost and none comes twice, even if the daemon restarts. */
import { setTimeout as sleep } from "node:timers/promises";

import { PorticoError } from "./errors.js";
import type { EventPage, PorticoEvent } from "./events.js";

/** Seconds that the daemon waits for an event before it answers without one. */
export const WAIT = 30;
/** Milliseconds that a long poll may take: `WAIT`, and time for a slow machine. */
export const LONG_POLL_TIMEOUT = (WAIT + 15) * 1_000;

/** The first and the longest pause between tries, in milliseconds. */
const SHORTEST_PAUSE = 250;
const LONGEST_PAUSE = 5_000;
/** A daemon that is stopping answers long polls at once. After an answer as quick as this, pause. In milliseconds. */
const SUSPICIOUSLY_SOON = 200;

/** Where to begin, and when to give up. */
export interface FollowOptions {
  /** The index of the last event that you know; 0, the default, for all events. */
  after?: number;
  /** Ends the iterator, which then throws the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** How long to retry without any answer before the error is thrown, in milliseconds; without end by default. */
  patience?: number;
}

/** Reads the events after an index, and waits for one if there is none yet. */
export type ReadPage = (after: number, signal: AbortSignal | undefined) => Promise<EventPage>;

/**
 * All events of a stream, until it ends. After a temporary error (`PorticoError.isPassing`) it retries, until
 * `patience` is over. It pauses before each retry: up to 5 s, or as long as `Retry-After` says. It throws all other
 * errors.
 */
export async function* follow(read: ReadPage, options: FollowOptions = {}): AsyncGenerator<PorticoEvent, void, void> {
  const { signal, patience = Infinity } = options;
  let { after = 0 } = options;
  let failures = 0;
  let heard = performance.now();
  for (;;) {
    signal?.throwIfAborted();
    const asked = performance.now();
    let page: EventPage;
    try {
      page = await read(after, signal);
      heard = performance.now();
    } catch (error) {
      const isPassing = error instanceof PorticoError && error.isPassing;
      if (!isPassing || performance.now() - heard > patience) throw error;
      await pause(failures++, error.retryAfter, signal);
      continue;
    }
    for (const event of page.events) {
      after = event.index;
      yield event;
    }
    if (page.ended) return;
    if (page.events.length === 0 && performance.now() - asked < SUSPICIOUSLY_SOON) {
      await pause(failures++, undefined, signal);
    } else {
      failures = 0;
    }
  }
}

/** How long to wait after so many failures, in milliseconds. `chance`, from 0 to 1, spreads the tries of clients. */
function backOff(failures: number, retryAfter: number | undefined, chance: number): number {
  const grown = Math.min(SHORTEST_PAUSE * 2 ** Math.min(failures, 16), LONGEST_PAUSE);
  return Math.max((retryAfter ?? 0) * 1_000, grown * (0.5 + chance / 2));
}

async function pause(failures: number, retryAfter: number | undefined, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(backOff(failures, retryAfter, Math.random()), undefined, signal ? { signal } : {});
  } catch {
    signal?.throwIfAborted();
  }
}

/** Streams that are followed: no event is lost and none comes twice, even if the daemon restarts. */
import { setTimeout as sleep } from "node:timers/promises";

import { PorticoError } from "./errors.js";
import type { EventPage, PorticoEvent } from "./events.js";

/** Seconds that the daemon waits for an event before it answers without one. */
export const WAIT = 30;
/** Milliseconds that a long-poll may take: `WAIT`, and time for a slow machine. */
export const LONG_POLL_TIMEOUT = (WAIT + 15) * 1_000;

/** The first and the longest pause between tries, in milliseconds. */
const SHORTEST_PAUSE = 250;
const LONGEST_PAUSE = 5_000;
/** A daemon that stops answers long-polls at once. Do not ask it again at once. In milliseconds. */
const SUSPICIOUSLY_SOON = 200;

/** Where to begin, and how long to go on. */
export interface FollowOptions {
  /** The index of the last event that you know; 0, the default, for all events. */
  after?: number;
  /** Ends it: the iterator throws the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Milliseconds without any answer, after which the error is thrown; endless by default. */
  patience?: number;
}

/** Reads events behind an index, and waits for one if there is none yet. */
export type ReadPage = (after: number, signal: AbortSignal | undefined) => Promise<EventPage>;

/**
 * All events of a stream, until it ends. After errors that pass (`PorticoError.isPassing`) it asks again, with a pause
 * that grows to 5 s, or that the daemon names, as long as its patience lasts. Other errors are thrown.
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

/** How long to wait after so many failures, in milliseconds. `chance`, from 0 to 1, keeps clients apart. */
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

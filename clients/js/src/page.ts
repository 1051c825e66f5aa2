/** Follows the login, on the sign-in page in the browser. This module imports nothing, so you can serve it as it is. */

/** A step of the login. `code` says why it failed; `no_login`: this browser has not opened this login. */
export interface PageStep {
  step: "scanned" | "approved" | "declined" | "failed";
  index?: number;
  code?: string;
}

/** How to ask. */
export interface WatchOptions {
  /** Ends the wait. `watch` then throws the reason of the signal. */
  signal?: AbortSignal;
  fetch?: typeof globalThis.fetch;
}

/** The first and the longest pause between tries, in milliseconds. */
const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 8_000;
/** A proxy may end a request that waits longer. The server answers after 25 s. In milliseconds. */
const LONGEST_ANSWER = 40_000;
/** A server that is stopping answers at once. After an answer as quick as this, pause. In milliseconds. */
const SUSPICIOUSLY_SOON = 1_000;

/**
 * Asks the path that `SignIn.wait` serves until the login has ended, and returns the last step. It calls `onStep` with
 * each earlier step. It retries after errors of the network. When the user returns to the page, it asks at once,
 * because a phone may have closed the connection in the meantime without an error.
 */
export async function watch(
  path: string,
  onStep: (step: PageStep) => void = () => {},
  options: WatchOptions = {},
): Promise<PageStep> {
  const { signal, fetch = globalThis.fetch } = options;
  const joint = path.includes("?") ? "&" : "?";
  let after = 0;
  let failures = 0;
  for (;;) {
    signal?.throwIfAborted();
    const turn = untilBack(signal);
    const begun = Date.now();
    const init = { method: "POST", signal: turn.over(LONGEST_ANSWER) };
    const told = await fetch(`${path}${joint}after=${after}`, init)
      .then(stepIn)
      .catch(() => undefined);
    const isIdle = told?.step === "waiting" && Date.now() - begun < SUSPICIOUSLY_SOON;
    if (told === undefined || isIdle) await turn.pause(backOff(failures++));
    else failures = 0;
    turn.end();
    if (told === undefined || told.step === "waiting") continue;
    if (told.step !== "scanned") return told;
    after = told.index ?? after;
    onStep(told);
  }
}

function backOff(failures: number): number {
  return Math.min(SHORTEST_PAUSE * 2 ** Math.min(failures, 16), LONGEST_PAUSE) * (0.5 + Math.random() / 2);
}

/** `undefined`: ask again. */
async function stepIn(answer: Response): Promise<PageStep | { step: "waiting" } | undefined> {
  if (answer.ok) return (await answer.json()) as PageStep;
  if (answer.status === 408 || answer.status === 429 || answer.status >= 500) return undefined;
  const { error = "no_login" } = (await answer.json().catch(() => ({}))) as { error?: string };
  return { step: "failed", code: error };
}

/** Globals of a browser that Node does not have. */
interface Page {
  document?: EventTarget & { visibilityState: string };
  addEventListener?: EventTarget["addEventListener"];
  removeEventListener?: EventTarget["removeEventListener"];
}

/** One try. It ends early when the user returns to the page, or when the network is back. */
function untilBack(signal: AbortSignal | undefined) {
  const window = globalThis as unknown as Page;
  const { document } = window;
  const back = new AbortController();
  const stop = () => back.abort();
  const seen = () => document?.visibilityState === "visible" && stop();
  signal?.addEventListener("abort", stop);
  document?.addEventListener("visibilitychange", seen);
  for (const name of ["pageshow", "online"]) window.addEventListener?.(name, stop);
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    /** A signal that also aborts after so many milliseconds. */
    over(milliseconds: number): AbortSignal {
      timer = setTimeout(stop, milliseconds);
      return back.signal;
    },
    pause: (milliseconds: number) =>
      new Promise<void>((resolve) => {
        if (back.signal.aborted) return resolve();
        clearTimeout(timer);
        timer = setTimeout(resolve, milliseconds);
        back.signal.addEventListener("abort", () => resolve(), { once: true });
      }),
    end(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      document?.removeEventListener("visibilitychange", seen);
      for (const name of ["pageshow", "online"]) window.removeEventListener?.(name, stop);
    },
  };
}

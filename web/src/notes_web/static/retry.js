// When to ask again for what failed: one timer for each thing that is asked for, and a longer pause each time.

const FIRST_S = 0.5;
const LONGEST_S = 15;
const asked = new Map(); // key → {times, timer}

/** Return the seconds to wait after so many failures in a row; `said`: those that the service asked for, or null. */
export const pauseAfter = (times, said = null) =>
  Math.max(said ?? 0, Math.min(FIRST_S * 2 ** times, LONGEST_S) * (0.7 + 0.6 * Math.random()));

/** Run `again` after a pause, in the place of what waits under this key already. */
export function askAgain(key, again, said = null) {
  const { times, timer } = asked.get(key) ?? { times: 0 };
  clearTimeout(timer);
  asked.set(key, { times: times + 1, timer: setTimeout(again, pauseAfter(times, said) * 1000) });
}

/** It was answered, or nobody asks any more. */
export function answered(key) {
  clearTimeout(asked.get(key)?.timer);
  asked.delete(key);
}

// Times as people read them.

import { signal } from "../html.js";

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

const minute = signal(0);
setInterval(() => { minute.value += 1; }, 30_000);

/** Return how long ago a time is; after a week, the day. */
export function ago(time) {
  void minute.value; // so that who shows it paints it anew
  if (!time) return "";
  const seconds = (new Date(time) - Date.now()) / 1000;
  if (seconds > -60) return "just now";
  if (seconds > -3600) return RELATIVE.format(Math.round(seconds / 60), "minute");
  if (seconds > -86_400) return RELATIVE.format(Math.round(seconds / 3600), "hour");
  if (seconds > -7 * 86_400) return RELATIVE.format(Math.round(seconds / 86_400), "day");
  return DAY.format(new Date(time));
}

export const exact = (time) => (time ? EXACT.format(new Date(time)) : "");

/** Return milliseconds as a short text. */
export const span = (ms) => (ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms >= 1_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms)} ms`);

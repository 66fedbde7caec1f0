// Which windows of this browser are open: each sends its own commands, and those of windows that are closed.

import { newId } from "./ids.js";

export const tab = newId();
const LOCK = "notes-page-";
const ANSWERED_MS = 300;
const heard = new Set();
let channel = null;
let looked = false;

/** Let the others know, for as long as this window is open. */
export function beOpen() {
  if (navigator.locks) {
    navigator.locks.request(LOCK + tab, () => new Promise(() => {}));
    return;
  }
  // Locks are there in secure contexts only, which a page on a plain address is not: there windows are asked.
  channel = new BroadcastChannel("notes-windows");
  channel.onmessage = ({ data }) => {
    if (data === "who") channel.postMessage(tab);
    else heard.add(data);
  };
}

/** Run `work(open)` with the ids of the other windows that are open, in one window at a time. */
export async function amongWindows(work) {
  if (navigator.locks) {
    await navigator.locks.request("notes-adopt", async () => {
      const { held } = await navigator.locks.query();
      await work(new Set(held.map(({ name }) => name.replace(LOCK, ""))));
    });
    return;
  }
  heard.clear();
  channel.postMessage("who");
  await new Promise((resolve) => setTimeout(resolve, ANSWERED_MS));
  // A window that has just come takes what it left when it was loaded anew; after that one window does this for all.
  if (!looked || [...heard].every((other) => tab < other)) await work(heard);
  looked = true;
}

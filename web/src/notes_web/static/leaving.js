// Signing out: nothing of a person stays on the device, or in memory in any of their windows.

import { forgetPerson, signOut } from "./auth.js";
import { clearDatabase, keepNothing } from "./database.js";
import { setQueue } from "./store.js";

const LATE_MS = 5_000;
let windows = null;

/** Follow the other windows of this person when one of them signs out. `name`: that of the person's database. */
export function leaveTogether(name) {
  windows = new BroadcastChannel(`sign-out of ${name}`);
  windows.onmessage = async ({ data: { at } }) => {
    try {
      // What was written here after the other window had cleared goes as well. A window that hears of it late was
      // asleep and wrote nothing: the person may have signed in again meanwhile, and keeps what they wrote since.
      await forgetAll(Date.now() - at < LATE_MS);
    } finally {
      location.replace("/"); // nothing stays in memory either
    }
  };
}

/** Sign out in all windows, and at the issuer. */
export async function leave() {
  windows?.postMessage({ at: Date.now() });
  try {
    await forgetAll(true);
  } finally {
    await signOut();
  }
}

async function forgetAll(clear) {
  forgetPerson();
  keepNothing();
  setQueue([]);
  if (clear) await clearDatabase();
}

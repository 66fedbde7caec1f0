// Small texts that survive a reload, written at once. Where a browser lets a page keep nothing, nothing is kept.

const guarded = (use) => {
  try {
    return use();
  } catch {
    return null;
  }
};

export const stored = (name) => guarded(() => localStorage.getItem(name));
/** Store a text; return whether it is. */
export const store = (name, text) => guarded(() => { localStorage.setItem(name, text); return true; }) ?? false;
export const unstore = (name) => guarded(() => localStorage.removeItem(name));

/** Return what was stored as JSON, an empty object if there is nothing, or nothing readable. */
export const storedJson = (name) => guarded(() => JSON.parse(stored(name) ?? "{}")) ?? {};

// What survives a reload: the queue of commands, and the last known documents and lists, in IndexedDB. Where a browser
// gives none (a private window), the page works on, and says nothing it cannot keep is kept.

const VERSION = 1;
const KEPT = 300;
let opened = null;

/** Open the database of one person; call it once, before anything else. */
export function openDatabase(name) {
  opened = new Promise((resolve) => {
    let asked;
    try {
      asked = indexedDB.open(name, VERSION);
    } catch {
      resolve(null);
      return;
    }
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("commands", { keyPath: "id" });
      asked.result.createObjectStore("kept");
    };
    asked.onsuccess = () => {
      resolve(asked.result);
      shrink();
    };
    asked.onerror = () => resolve(null);
    asked.onblocked = () => resolve(null);
  });
  return opened;
}

// What is kept to be shown at once is only for that: beyond a number all of it goes, and is kept anew.
async function shrink() {
  const count = await run("kept", "readonly", (store) => store.count());
  if (count > KEPT) await run("kept", "readwrite", (store) => store.clear());
}

/** Run `work(store)` in a transaction and return its request's result once it is durable; undefined without a database. */
async function run(store, mode, work) {
  const database = await opened;
  if (!database) return undefined;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = work(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

export const storedCommands = async () => (await run("commands", "readonly", (store) => store.getAll())) ?? [];

const kept = (key) => run("kept", "readonly", (store) => store.get(key));
export const keep = (key, value) => run("kept", "readwrite", (store) => store.put(value, key)).catch(() => undefined);
export const recall = (key) => kept(key).catch(() => undefined);

/** Remove everything: whoever signs out leaves nothing behind. */
export async function clearDatabase() {
  await run("commands", "readwrite", (store) => store.clear());
  await run("kept", "readwrite", (store) => store.clear());
}

const dirty = new Map();
let writing = null;

/** Write commands down (null: remove). One transaction at a time; what changes meanwhile goes into the next one. */
export function writeCommands(changes) {
  for (const [id, command] of changes) dirty.set(id, command);
  writing ??= writeAll().finally(() => { writing = null; });
  return writing;
}

async function writeAll() {
  while (dirty.size) {
    const now = [...dirty];
    dirty.clear();
    await run("commands", "readwrite", (store) => {
      for (const [id, command] of now) command ? store.put(command) : store.delete(id);
    }).catch((error) => console.error("the queue was not written down", error));
  }
}

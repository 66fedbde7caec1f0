// The service worker: the page's files for a visit without a network. It never touches the services' answers.

const CACHE = "notes-page";
const CONFIGURATION = "/config.json";

// A server of another release answers with its own file, and says that it may not be kept under the address asked for:
// kept all the same, a page would be made of the modules of two releases, until the next one.
const namesContent = (answer) => answer.ok && /\bimmutable\b/.test(answer.headers.get("Cache-Control") ?? "");
const isOf = (type, answer) => answer.ok && (answer.headers.get("Content-Type") ?? "").startsWith(type);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(["/", CONFIGURATION])).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// What a visit has loaded before this worker was there. Files of another release go.
self.addEventListener("message", (event) => {
  const { files } = event.data;
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    const known = await cache.keys();
    const wanted = new Set(files);
    const take = async (url) => {
      const answer = await fetch(url);
      if (namesContent(answer)) await cache.put(url, answer);
    };
    await Promise.all(files.filter((url) => !known.some((one) => one.url === url)).map((url) => take(url).catch(() => undefined)));
    const release = files[0]?.match(/\/static\/[^/]+\//)?.[0];
    if (!release) return;
    await Promise.all(known.filter((one) => one.url.includes("/static/") && !one.url.includes(release) && !wanted.has(one.url))
      .map((one) => cache.delete(one)));
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(kept(request));
  else if (request.mode === "navigate") event.respondWith(fresh(request, "/", "text/html"));
  else if (url.pathname === CONFIGURATION) event.respondWith(fresh(request, CONFIGURATION, "application/json"));
});

/** A file whose address names its content: what is kept is right. */
async function kept(request) {
  const found = await caches.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (namesContent(answer)) (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}

/**
 * What may change: from the network, and from the last visit where there is none. Anything that is opened in a tab is
 * asked for as a page; only what is of the right type takes the place of what is kept.
 */
async function fresh(request, key, type) {
  try {
    const answer = await fetch(request);
    if (isOf(type, answer)) (await caches.open(CACHE)).put(key, answer.clone());
    return answer;
  } catch (error) {
    const found = await caches.match(key);
    if (found) return found;
    throw error;
  }
}

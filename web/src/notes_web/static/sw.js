// The service worker: the page's files for a visit without a network. It never touches the services' answers.

const CACHE = "notes-page";
const CONFIGURATION = "/config.json";

// A server of another release answers with its own file, and says that it may not be kept under the address asked for:
// kept all the same, a page would be made of the modules of two releases, until the next one.
const namesContent = (answer) => answer.ok && /\bimmutable\b/.test(answer.headers.get("Cache-Control") ?? "");
const isOf = (type, answer) => answer.ok && (answer.headers.get("Content-Type") ?? "").startsWith(type);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.add(CONFIGURATION)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// What a visit has loaded. The page that names these files is kept once they are, and those of another release go then.
self.addEventListener("message", (event) => {
  const { files } = event.data;
  event.waitUntil((async () => {
    const release = files[0]?.match(/\/static\/[^/]+\//)?.[0];
    if (!release) return;
    const cache = await caches.open(CACHE);
    const known = await cache.keys();
    const take = async (url) => {
      const answer = await fetch(url);
      if (!namesContent(answer)) return false;
      await cache.put(url, answer);
      return true;
    };
    const taken = await Promise.all(files.filter((url) => !known.some((one) => one.url === url)).map((url) => take(url).catch(() => false)));
    if (taken.includes(false)) return;
    const page = await fetch("/");
    if (!isOf("text/html", page) || !(await page.clone().text()).includes(release)) return;
    await cache.put("/", page);
    await Promise.all(known.filter((one) => one.url.includes("/static/") && !one.url.includes(release)).map((one) => cache.delete(one)));
  })());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(kept(request));
  else if (request.mode === "navigate") event.respondWith(fetch(request).catch((error) => last("/", error)));
  else if (url.pathname === CONFIGURATION) event.respondWith(configuration(request));
});

/** A file whose address names its content: what is kept is right. */
async function kept(request) {
  const found = await caches.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (namesContent(answer)) (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}

/** What may change is that of the network, or of the last visit where there is none. */
async function configuration(request) {
  try {
    const answer = await fetch(request);
    if (isOf("application/json", answer)) (await caches.open(CACHE)).put(CONFIGURATION, answer.clone());
    return answer;
  } catch (error) {
    return last(CONFIGURATION, error);
  }
}

async function last(key, error) {
  const found = await caches.match(key);
  if (found) return found;
  throw error;
}

// The page loads without a network: a service worker answers with the files of the last visit.

/** Register the worker, and hand it what this visit has loaded. Without one the page works, online. */
export async function keepOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/sw.js");
    const { active } = await navigator.serviceWorker.ready;
    const files = performance.getEntriesByType("resource").map((one) => one.name)
      .filter((name) => name.startsWith(`${location.origin}/static/`));
    active.postMessage({ files: [...new Set(files)] });
  } catch (error) {
    console.info("the page will not load offline", error);
  }
}

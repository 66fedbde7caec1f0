// What the page's modules need of a browser to be loaded by Node, for tests of what they ask of the services.

const target = () => Object.assign(new EventTarget(), { hidden: false, title: "", documentElement: { dataset: {} } });
const page = target();

Object.assign(globalThis, {
  addEventListener: page.addEventListener.bind(page),
  removeEventListener: page.removeEventListener.bind(page),
  document: target(),
  location: new URL("http://page/"),
  requestAnimationFrame: (run) => setTimeout(run, 0),
  history: { pushState() {}, replaceState() {} },
});
// Neither what waits for long nor what listens keeps Node running.
const { setTimeout: later } = globalThis;
globalThis.setTimeout = (run, ms, ...given) => {
  const timer = later(run, ms, ...given);
  if (ms >= 1_000) timer.unref();
  return timer;
};
const { MessageChannel: Channel } = globalThis;
globalThis.MessageChannel = class extends Channel {
  constructor() {
    super();
    setImmediate(() => this.port1.unref());
  }
};
Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });

/** The requests that were made, `{url, method, headers, body, signal, at}`; `answer(request)` gives each its Response. */
export function services(answer) {
  const asked = [];
  globalThis.fetch = async (url, options = {}) => {
    const request = { url, ...options, at: performance.now() };
    asked.push(request);
    return answer(request);
  };
  return asked;
}

export const json = (data, status = 200, headers = {}) =>
  new Response(JSON.stringify(data), { status, headers: { "Content-Type": "application/json", ...headers } });

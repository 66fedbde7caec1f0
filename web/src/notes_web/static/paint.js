// What has time until the frame is painted: a key press is on the screen first.

const LONGEST_MS = 100; // a page that nobody sees paints nothing
const channel = new MessageChannel();
const waiting = new Set();

channel.port1.onmessage = () => {
  const now = [...waiting];
  waiting.clear();
  for (const run of now) run();
};

/** Run once the next frame has been painted: a message that a frame's callback sends comes after it. */
export function whenPainted(run) {
  waiting.add(run);
  const send = () => channel.port2.postMessage(null);
  const late = setTimeout(send, LONGEST_MS);
  requestAnimationFrame(() => {
    clearTimeout(late);
    send();
  });
}

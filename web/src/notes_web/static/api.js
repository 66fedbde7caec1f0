// The two services, as any other client asks them: JSON, bearer tokens, problem+json, Retry-After.

import { accessToken, renewed } from "./auth.js";

export const config = { command_url: "", query_url: "", auth: "none" };

const LONGEST_S = 30; // for which a service is not asked, though it says more: a page stays open for days

/** An answer that is not what was asked for. `status` 0: none came. `retryAfter`: seconds, if the service said. */
export class Problem extends Error {
  constructor(status, body, retryAfter = null) {
    super(body?.detail || body?.title || (status ? `The answer was ${status}.` : "No connection."));
    this.status = status;
    this.code = body?.code ?? (status ? "unknown" : "no_connection");
    this.body = body;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later: nothing was decided. An outcome, also of a failure, is a decision. */
  get temporary() {
    if (this.body?.outcome) return false;
    return this.status === 0 || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

async function problemOf(answer) {
  const body = await answer.json().catch(() => null);
  const seconds = Number.parseFloat(answer.headers.get("Retry-After"));
  const retryAfter = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_S) : null;
  return new Problem(answer.status, body, retryAfter);
}

let leaving = false;
addEventListener("pagehide", () => { leaving = true; });
addEventListener("pageshow", () => { leaving = false; });

/** Ask, with the token; a token that has expired is renewed once. Raises Problem for anything but 2xx. */
export async function ask(url, { method = "GET", body, headers = {}, seconds = 20, signal } = {}) {
  for (let tries = 0; ; tries += 1) {
    const token = await accessToken();
    const all = { ...headers };
    if (token) all.Authorization = `Bearer ${token}`;
    if (body !== undefined) all["Content-Type"] = "application/json";
    const text = body === undefined ? undefined : JSON.stringify(body);
    const inTime = AbortSignal.timeout(seconds * 1000);
    let answer;
    try {
      answer = await fetch(url, {
        method, headers: all, body: text, cache: "no-store",
        // What is sent while the page is being left shall arrive; browsers do that for what is small.
        keepalive: text !== undefined && (leaving || document.hidden) && text.length < 20_000,
        signal: signal ? AbortSignal.any([signal, inTime]) : inTime,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Problem(0, { detail: "The service does not answer." });
    }
    if (answer.ok) return answer;
    if (answer.status === 401 && tries === 0 && (await renewed(token))) continue;
    throw await problemOf(answer);
  }
}

const asked = (parameters) => {
  const found = Object.entries(parameters)
    .flatMap(([name, value]) => (Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value]]))
    .filter(([, value]) => value !== undefined && value !== null && value !== "");
  return found.length ? `?${new URLSearchParams(found)}` : "";
};

/** Return `{data, headers}` of a GET. Raises Problem. */
export async function get(base, path, parameters = {}, options = {}) {
  const answer = await ask(`${base}${path}${asked(parameters)}`, options);
  return { data: await json(answer, options.signal), headers: answer.headers };
}

async function json(answer, signal) {
  try {
    return await answer.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { detail: "The answer broke off." });
  }
}

export const query = (path, parameters, options) => get(config.query_url, path, parameters, options);
export const writeStore = (path, parameters, options) => get(config.command_url, path, parameters, options);

/** Send a POST and return its JSON. Raises Problem. */
export async function post(base, path, body, headers = {}, seconds = 20) {
  const answer = await ask(`${base}${path}`, { method: "POST", body, headers, seconds });
  return { data: await json(answer), status: answer.status };
}

/** Put a command on its way. Return its outcome, or null if none came in `wait` seconds. Raises Problem. */
export async function sendCommand(name, id, data, wait) {
  const headers = { "Idempotency-Key": id, Prefer: `wait=${wait}` };
  const { data: answer, status } = await post(config.command_url, `/commands/${name}`, data, headers, wait + 15);
  return status === 200 ? answer : null;
}

/** Return the outcome of a command, null while it is not known. Raises Problem. */
export async function outcomeOf(id, wait) {
  try {
    return (await writeStore(`/commands/${id}`, { wait }, { seconds: wait + 15 })).data;
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

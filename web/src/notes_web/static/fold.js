// What a note is after an event, and which event a command would make. The same rules as notes_query's projection of
// notes and notes_command's aggregate; the golden vectors of both are run against this file. No I/O, no clock.

const MAX_TAGS = 20;
const PREVIEW_LENGTH = 100;
// White space as Python has it: JavaScript's \s lacks the separators below and has the byte order mark.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = new RegExp(`[^${SPACE}]+`, "gu");
const EDGES = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");

/** What a view shows of a body: its first 100 characters (code points), and how many words it has. */
export function digestOf(body) {
  const preview = Array.from(body.slice(0, 2 * PREVIEW_LENGTH)).slice(0, PREVIEW_LENGTH).join("");
  return { preview, word_count: body.match(WORD)?.length ?? 0 };
}

const withBody = (note, body) => ({ ...note, body, ...digestOf(body) });

const APPLY = {
  "note-created": (note, data, at) =>
    withBody({ ...note, status: "active", title: data.title, tags: [...data.tags], author: data.author,
      created_at: at, updated_at: at }, data.body),
  "note-updated": (note, data, at) => withBody({ ...note, updated_at: at }, data.body),
  "note-renamed": (note, data, at) => ({ ...note, title: data.title, updated_at: at }),
  "note-tagged": (note, data, at) => ({ ...note, tags: [...data.tags], updated_at: at }),
  "note-untagged": (note, data, at) => ({ ...note, tags: [...data.tags], updated_at: at }),
  "note-archived": (note, data, at) => ({ ...note, status: "archived", updated_at: at }),
  "note-restored": (note, data, at) => ({ ...note, status: "active", updated_at: at }),
  "note-deleted": (note, data, at) =>
    withBody({ ...note, status: "deleted", title: "", tags: [], author: null, updated_at: at }, ""),
  "note-snapshotted": (note, data) =>
    withBody({ ...note, status: data.status, title: data.title, tags: [...data.tags], author: data.author,
      created_at: data.created_at, updated_at: data.updated_at }, data.body),
};

const BLANK = {
  status: "unknown", title: "", body: "", preview: "", word_count: 0, tags: [], author: null,
  created_at: null, updated_at: null, version: 0,
};

/**
 * Return the document after an event `{type, version, occurred_at, data}`; `type` is the short name, `note-updated`.
 * An event that is not known here advances the version and changes nothing else.
 */
export function evolve(document, event) {
  const before = document ?? { id: event.note_id, ...BLANK };
  const apply = APPLY[event.type];
  const after = apply ? apply(before, event.data, event.occurred_at) : { ...before };
  after.version = event.version;
  return after;
}

const tagged = (document, tags, name, tag) => ({ type: name, data: { tag, tags } });

// What a command changes, or null where nothing would change.
const CHANGES = {
  "create-note": (document, data) =>
    document ? null : { type: "note-created", data: { title: data.title, body: data.body ?? "",
      tags: data.tags ?? [], author: data.author ?? null } },
  "update-note": (document, { body }) => (body === document.body ? null : { type: "note-updated", data: { body } }),
  "rename-note": (document, { title }) => (title === document.title ? null : { type: "note-renamed", data: { title } }),
  "tag-note": (document, { tag }) =>
    document.tags.includes(tag) ? null : tagged(document, [...document.tags, tag], "note-tagged", tag),
  "untag-note": (document, { tag }) =>
    document.tags.includes(tag) ? tagged(document, document.tags.filter((one) => one !== tag), "note-untagged", tag) : null,
  "archive-note": (document) => (document.status === "archived" ? null : { type: "note-archived", data: {} }),
  "restore-note": (document) => (document.status === "active" ? null : { type: "note-restored", data: {} }),
  "delete-note": () => ({ type: "note-deleted", data: {} }),
};
const ALSO_OF_ARCHIVED = new Set(["archive-note", "restore-note", "delete-note"]);

/** Return the event that a command would make of a document, or null if it would change nothing. */
function eventOf(document, command, at) {
  const change = CHANGES[command.name](document, command.data);
  if (change === null) return null;
  const late = document?.updated_at && document.updated_at > at ? document.updated_at : at;
  return { ...change, note_id: command.note_id, version: (document?.version ?? 0) + 1, occurred_at: late };
}

/**
 * Decide a command as command-service does: `{event}`, null in it if nothing changes, or `{code}` of the first rule
 * that says no. `at`: the time of the decision, as all times are written.
 */
export function decide(document, command, at) {
  const { name, data } = command;
  if (name === "create-note") {
    if (document) return { code: document.status === "deleted" ? "note_deleted" : "note_already_exists" };
    return (data.tags ?? []).length > MAX_TAGS ? { code: "too_many_tags" } : { event: eventOf(null, command, at) };
  }
  if (!document) return { code: "note_not_found" };
  if (document.status === "deleted") return { code: "note_deleted" };
  if (data.expected_version != null && data.expected_version !== document.version) return { code: "version_conflict" };
  if (document.status === "archived" && !ALSO_OF_ARCHIVED.has(name)) return { code: "note_archived" };
  const event = eventOf(document, command, at);
  return event && event.data.tags && event.data.tags.length > MAX_TAGS && name === "tag-note"
    ? { code: "too_many_tags" } : { event };
}

/**
 * Return what is shown: the document with the pending commands on top, null if there is neither.
 *
 * A command is shown until its outcome says no: only that may take a person's text off the screen. So rules that
 * another's change may have brought in between (archived, another version) are left to the outcome; what is deleted
 * stays deleted.
 */
export function fold(document, pending) {
  let shown = document ?? null;
  for (const command of pending) {
    if (shown === null ? command.name !== "create-note" : shown.status === "deleted") continue;
    const event = eventOf(shown, command, command.made_at);
    if (event !== null) shown = evolve(shown, event);
  }
  return shown;
}

/** Return a title as it will be stored, "" if there is none in it. */
export const trimmed = (title) => title.replace(EDGES, "");

/** Return a tag as it will be stored, or null if it is no tag. */
export function asTag(text) {
  const tag = trimmed(text).toLowerCase().replace(/^#/, "");
  return /^[a-z0-9][a-z0-9-]{0,31}$/.test(tag) ? tag : null;
}

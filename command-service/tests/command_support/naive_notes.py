"""The rules of docs/architecture.md, "Which rule wins", written as plainly as can be and without the service's code.

Takes records as bytes, keeps dicts, and knows nothing of batches, stores or the contracts' models: what it says is
compared with what the service does.
"""

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Json = dict[str, Any]
DASHED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
REQUIRED = {
    "create": {"title"},
    "update": {"body"},
    "rename": {"title"},
    "tag": {"tag"},
    "untag": {"tag"},
    "archive": set(),
    "restore": set(),
    "delete": set(),
}


@dataclass
class NaiveNotes:
    """What there is after some records. `events` are per note; `answers` are all outcomes sent, repeats too."""

    notes: dict[str, Json] = field(default_factory=dict)
    events: dict[str, list[Json]] = field(default_factory=dict)
    first: dict[str, Json] = field(default_factory=dict)
    answers: list[Json] = field(default_factory=list)
    dead_letters: list[tuple[bytes | None, str]] = field(default_factory=list)

    def take(self, key: bytes | None, value: bytes | None, headers: dict[str, bytes]) -> None:
        command_id = headers.get("ce_id", b"").decode().lower()
        if not DASHED.fullmatch(command_id):
            self.dead_letters.append((value, "undecodable"))
            return
        if command_id not in self.first:
            self.first[command_id] = {"command_id": command_id, **self.decide(key, value, headers)}
        self.answers.append(self.first[command_id])

    def decide(self, key: bytes | None, value: bytes | None, headers: dict[str, bytes]) -> Json:
        key_id = (key or b"").decode().lower()
        data = parsed(value)
        in_data = data.get("note_id", "") if isinstance(data, dict) else ""
        note_id = next((id_.lower() for id_ in (in_data, key_id) if isinstance(id_, str) and is_id(id_)), None)
        kind = re.fullmatch(rb"notes\.command\.([a-z]+)-note\.v1", headers.get("ce_type", b""))
        if kind is None or (name := kind[1].decode()) not in REQUIRED or data is BROKEN:
            self.dead_letters.append((value, "undecodable"))
            return outcome(note_id, "failed", "undecodable")
        if not fits(name, data) or data["note_id"].lower() != key_id:
            return outcome(note_id, "rejected", "invalid")
        data = filled_in(name, data)
        digest = digest_of(headers["ce_type"], data)
        code, changes = self.rules(name, data)
        if code:
            return {**outcome(note_id, "rejected", code), "digest": digest}
        if changes is not None:
            self.change(data["note_id"], name, changes, data)
        return {
            **outcome(note_id, "accepted", None),
            "digest": digest,
            "version": self.notes[data["note_id"]]["version"],
        }

    def rules(self, name: str, data: Json) -> tuple[str | None, Json | None]:
        """Return the code of the first rule that says no, or what changes; neither: nothing changes."""
        note = self.notes.get(data["note_id"])
        if name == "create":
            made = {field: data[field] for field in ("title", "body", "tags", "author")}
            lines = [
                (note is not None and note["status"] == "deleted", "note_deleted"),
                (note is not None, "note_already_exists"),
                (len(data["tags"]) > 20, "too_many_tags"),
            ]
            return next(((code, None) for holds, code in lines if holds), (None, made))
        if note is None:
            return "note_not_found", None
        changes = changes_of(name, data, note)
        archived = note["status"] == "archived" and name not in ("archive", "restore", "delete")
        lines = [
            (note["status"] == "deleted", "note_deleted"),
            (data["expected_version"] not in (None, note["version"]), "version_conflict"),
            (archived, "note_archived"),
            (all(note[field] == value for field, value in changes.items()), None),
            (len(changes.get("tags", ())) > 20, "too_many_tags"),
        ]
        return next(((code, None) for holds, code in lines if holds), (None, changes))

    def change(self, note_id: str, name: str, changes: Json, data: Json) -> None:
        note = self.notes.setdefault(note_id, {"status": "active", "version": 0})
        note.update(changes, version=note["version"] + 1)
        said = {"create": changes, "update": changes, "rename": changes}.get(name, {})
        if name in ("tag", "untag"):
            said = {"tag": data["tag"], "tags": changes["tags"]}
        past = name + ("d" if name.endswith("e") else "ged" if name.endswith("g") else "d")
        event = {"type": f"notes.event.note-{past}.v1", "version": note["version"], **said}
        self.events.setdefault(note_id, []).append(event)


def changes_of(name: str, data: Json, note: Json) -> Json:
    tags = list(note["tags"])
    match name:
        case "update":
            return {"body": data["body"]}
        case "rename":
            return {"title": data["title"]}
        case "tag":
            return {"tags": tags if data["tag"] in tags else [*tags, data["tag"]]}
        case "untag":
            return {"tags": [tag for tag in tags if tag != data["tag"]]}
        case "delete":
            return {"title": "", "body": "", "tags": [], "author": None, "status": "deleted"}
    return {"status": {"archive": "archived", "restore": "active"}[name]}


def outcome(note_id: str | None, status: str, code: str | None) -> Json:
    return {"note_id": note_id, "status": status, "code": code, "version": None, "digest": None}


class Broken:
    """What is not JSON."""


BROKEN = Broken()


def parsed(value: bytes | None) -> Any:
    try:
        return json.loads(value or b"")
    except ValueError:
        return BROKEN


def is_id(text: str) -> bool:
    return DASHED.fullmatch(text.lower()) is not None


def fits(name: str, data: Any) -> bool:
    """Tell whether the shape holds."""
    optional = {"body", "tags", "author"} if name == "create" else {"expected_version"}
    required = REQUIRED[name] | {"note_id"}
    if not isinstance(data, dict) or not required <= set(data) <= required | optional:
        return False
    version = data.get("expected_version")
    texts = {"note_id", "title", "body", "tag"} & set(data)
    return (
        all(isinstance(data[text], str) and "\0" not in data[text] for text in texts)
        and is_id(data["note_id"])
        and 1 <= len(data.get("title", "x").strip()) <= 200
        and len(data.get("body", "")) <= 100_000
        and all(is_tag(tag) for tag in [*data.get("tags", []), data.get("tag", "x")])
        and (version is None or type(version) is int)
    )


def is_tag(tag: Any) -> bool:
    return isinstance(tag, str) and TAG.fullmatch(tag.lower()) is not None


def filled_in(name: str, data: Json) -> Json:
    defaults = {"body": "", "tags": [], "author": None} if name == "create" else {"expected_version": None}
    data = {**defaults, **data, "note_id": data["note_id"].lower()}
    if "title" in data:
        data["title"] = data["title"].strip()
    if "tag" in data:
        data["tag"] = data["tag"].lower()
    if "tags" in data:
        data["tags"] = list(dict.fromkeys(tag.lower() for tag in data["tags"]))
    return data


def digest_of(ce_type: bytes, data: Json) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(ce_type + b"\0" + text.encode()).hexdigest()

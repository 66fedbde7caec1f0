"""The documentation of HTTP says what the routes do."""

from typing import Any

import pytest
from fastapi import FastAPI

from notes_contracts import HTTP_STATUS, Code, Outcome
from notes_query.http.problems import Problem
from notes_query.reads.count_tags import TagList
from notes_query.reads.get_body import BodyView
from notes_query.reads.get_note import NoteView
from notes_query.reads.list_notes import NotePage
from notes_query.reads.read_history import HistoryPage
from notes_query.reads.search_notes import SearchPage

AFTER = {"after", "wait"}
READS = {
    "/notes/{note_id}": (
        NoteView,
        {"note_id", "after", "min_version", "wait", "on_stale", "If-None-Match"},
        {"304", "404", "410", "422", "503"},
    ),
    "/notes/{note_id}/body": (BodyView, {"note_id", "If-None-Match", *AFTER}, {"304", "404", "410", "422", "503"}),
    "/notes/{note_id}/history": (
        HistoryPage,
        {"note_id", "limit", "after_version", "If-None-Match", *AFTER},
        {"304", "404", "410", "422", "503"},
    ),
    "/notes": (
        NotePage,
        {"limit", "cursor", "tag", "author", "status", "id", "If-None-Match", *AFTER},
        {"304", "400", "422", "429", "503"},
    ),
    "/notes/search": (
        SearchPage,
        {"q", "limit", "cursor", "tag", "author", "status", "If-None-Match", *AFTER},
        {"304", "400", "422", "429", "503"},
    ),
    "/tags": (TagList, {"If-None-Match", *AFTER}, {"304", "422", "429", "503"}),
    "/commands/{command_id}": (Outcome, {"command_id", "wait"}, {"404", "422", "503"}),
}


@pytest.fixture
def documented(app: FastAPI) -> Any:
    return app.openapi()


@pytest.mark.parametrize("path", READS)
def test_every_read_has_parameters_answers_errors_and_examples(documented: Any, path: str):
    answer, parameters, statuses = READS[path]
    route = documented["paths"][path]["get"]

    assert route["summary"]
    assert route["operationId"]
    assert route["description"]
    documented_parameters = route.get("parameters", [])
    assert {item["name"] for item in documented_parameters} == parameters
    assert all(item["description"] for item in documented_parameters)
    assert set(route["responses"]) == {"200", "401", "403", "500"} | statuses
    good = route["responses"]["200"]["content"]["application/json"]
    answer.model_validate(good["example"])
    for status in statuses - {"304"}:
        content = route["responses"][status]["content"]
        assert list(content) == ["application/problem+json"]
        for code, example in content["application/problem+json"]["examples"].items():
            Problem.model_validate(example["value"] | {"code": Code(code)})
            assert str(HTTP_STATUS[Code(code)]) == status


def test_every_reference_leads_somewhere(documented: Any):
    found = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                found.add(node["$ref"])
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look(documented)
    assert "#/components/schemas/Problem" in found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in documented["components"]["schemas"], reference


def test_operation_ids_are_unique(documented: Any):
    ids = [route["get"]["operationId"] for route in documented["paths"].values() if "get" in route]

    assert len(ids) == len(set(ids))

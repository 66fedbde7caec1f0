"""Both OpenAPI documents keep the standard and the house's rules, and each rule is seen to bite."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api import openapi_rules as rules
from tests.api.openapi_rules import PROBLEM, RULES, Rule, operations
from tools.api_files import FOLDER

COMMAND, QUERY = "command-service.openapi.json", "query-service.openapi.json"
NOTE = "/notes/{note_id}"


def committed(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("name", [COMMAND, QUERY])
def test_a_document_is_valid(name: str) -> None:
    assert list(OpenAPIV31SpecValidator(committed(name)).iter_errors()) == []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", [COMMAND, QUERY])
def test_a_document_keeps_the_rule(name: str, rule: Rule) -> None:
    assert list(rule(committed(name))) == []


def test_every_command_is_an_operation_of_its_own() -> None:
    paths = committed(COMMAND)["paths"]
    sent = {path for path in paths if path.startswith("/commands/") and "post" in paths[path]}
    names = ("create", "update", "rename", "tag", "untag", "archive", "restore", "delete")
    assert sent == {f"/commands/{name}-note" for name in names}


def test_a_null_that_is_required_stays_in_an_example() -> None:
    """FastAPI takes nulls out of examples, which are then not what the service sends."""
    response = committed(COMMAND)["paths"]["/commands/{command_id}"]["get"]["responses"]["200"]
    assert response["content"]["application/json"]["example"]["error"] is None


def read(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][NOTE]["get"]
    return found


def good(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = read(document)["responses"]["200"]
    return found


Plant = Callable[[dict[str, Any]], object]
PLANTED: list[tuple[Rule, Plant]] = [
    (rules.an_operation_has_a_stable_id_of_its_own, lambda it: read(it).update(operationId="livez")),
    (rules.an_operation_has_a_stable_id_of_its_own, lambda it: read(it).pop("operationId")),
    (rules.an_operation_is_described, lambda it: read(it).pop("description")),
    (rules.an_operation_is_described, lambda it: read(it).update(summary="Read Note")),
    (rules.tags_are_declared, lambda it: read(it).update(tags=["others"])),
    (rules.a_parameter_has_description_and_example, lambda it: read(it)["parameters"][0].pop("examples")),
    (rules.a_body_has_description_and_example, lambda it: good(it)["content"]["application/json"].pop("example")),
    (rules.a_response_is_described, lambda it: good(it).pop("content")),
    (rules.a_response_is_described, lambda it: good(it)["headers"]["ETag"].pop("description")),
    (rules.an_example_fits_its_schema, lambda it: good(it)["content"]["application/json"]["example"].pop("author")),
    (rules.an_example_fits_its_schema, lambda it: read(it)["parameters"][0].update(example="five")),
    (rules.a_problem_names_its_codes, lambda it: read(it)["responses"]["404"]["content"][PROBLEM].pop("examples")),
    (rules.an_error_is_a_problem, lambda it: read(it)["responses"].update({"404": good(it)})),
    (rules.every_operation_can_fail_by_our_fault, lambda it: read(it)["responses"].pop("500")),
    (
        rules.the_frameworks_own_error_is_not_shown,
        lambda it: it["components"]["schemas"].update(HTTPValidationError={}),
    ),
    (
        rules.a_schema_is_a_component,
        lambda it: good(it)["content"]["application/json"].update(schema={"properties": {}}),
    ),
    (
        rules.ids_and_times_have_their_formats,
        lambda it: it["components"]["schemas"]["NoteView"]["properties"].update(id={"type": "string"}),
    ),
    (rules.ids_and_times_have_their_formats, lambda it: read(it)["parameters"][0].update(schema={"type": "string"})),
]


@pytest.mark.parametrize(("rule", "plant"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, plant: Plant) -> None:
    document = copy.deepcopy(committed(COMMAND))
    plant(document)
    assert list(rule(document)) != []


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _ in PLANTED} == set(RULES)


def test_there_are_operations_to_look_at() -> None:
    assert len(list(operations(committed(COMMAND)))) == 23

"""The Kustomize bases fit the images, the settings and the command lines, and each rule is seen to bite."""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import certifi
import pytest

from notes_command import cli as command_cli
from notes_command.settings import Settings as CommandSettings
from notes_query import commands as query_commands
from notes_query.settings import Settings as QuerySettings
from notes_web import __main__ as web_main
from notes_web.settings import Settings as WebSettings
from tests.deploy.bases import (
    PLACE,
    RULES,
    Base,
    command_is_unknown,
    ends_too_early,
    file_is_left_out,
    holds_a_secret,
    may_more_than_it_needs,
    port_is_another,
    read,
    selects_nothing,
    setting_is_unknown,
    takes_settings_of_the_cluster,
)
from tests.deploy.exported import ROOT

Rule = Callable[[Base], list[str]]
CA = Path(certifi.where()).read_text(encoding="utf-8")
SECRETS = {
    "notes-command": {"postgres": "postgresql://notes:notes@db/notes", "kafka": "pw", "ca.crt": CA},
    "notes-query": {"mongo": "mongodb://notes:notes@db/notes", "kafka": "pw", "ca.crt": CA, "client": "secret"},
    "notes-command-topics": {"kafka": "pw", "ca.crt": CA},
    "notes-query-topics": {"kafka": "pw", "ca.crt": CA},
}
"""What the files say that each Secret has to hold."""


def web_arguments(arguments: list[str]) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["notes_web", *arguments])
        return web_main.parse()


NAMES = ("command-service", "query-service", "web")


@cache
def base_of(name: str) -> Base:
    settings: Any = {"command-service": CommandSettings, "query-service": QuerySettings, "web": WebSettings}[name]
    runs: Any = {
        "command-service": lambda given: command_cli.parser().parse_args(given),
        "query-service": query_commands.parse,
        "web": web_arguments,
    }[name]
    return read(ROOT / name / "deploy", settings, runs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NAMES)
def test_a_base_keeps_the_rule(name: str, rule: Rule) -> None:
    assert rule(base_of(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_program_starts_with_the_settings_of_the_base(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for setting in [one for one in os.environ if one.startswith("NOTES_")]:
        monkeypatch.delenv(setting)
    base = base_of(name)
    for step, pod in base.pods:
        with monkeypatch.context() as patch:
            for volume in pod.get("volumes", []):
                for key, text in SECRETS[volume["secret"]["secretName"]].items():
                    (tmp_path / key).write_text(text)
            for setting, value in base.environment(pod["containers"][0]).items():
                patch.setenv(setting, value.replace(PLACE, str(tmp_path)))
            assert base.settings().auth == "oidc", step["metadata"]["name"]  # type: ignore[attr-defined]
        for file in tmp_path.iterdir():
            file.unlink()


@pytest.mark.parametrize("place", ["query-service/deploy/kubernetes/kustomization.yaml", "docs/operations/deploy.md"])
def test_who_makes_the_secrets_is_told_every_key(place: str) -> None:
    text = (ROOT / place).read_text(encoding="utf-8")
    for key in SECRETS["notes-query"]:
        assert re.search(rf"notes-query\b[^\n]*\b{re.escape(key)}\b", text), key


def test_projectors_ask_for_snapshots_as_a_client_that_the_issuer_knows() -> None:
    """Without one, no snapshots are asked for where tokens are: gaps would stay."""
    base = base_of("query-service")
    projector = next(one for one in base.containers if "projector" in one["args"])
    assert base.environment(projector).keys() >= {
        "NOTES_COMMAND_URL",
        "NOTES_QUERY_CLIENT_ID",
        "NOTES_QUERY_CLIENT_SECRET_FILE",
    }
    for one in base.containers:
        assert one is projector or "NOTES_QUERY_CLIENT_SECRET_FILE" not in base.environment(one), "only who asks"


def workload(base: Base) -> Any:
    return next(one for one in base.documents if one["kind"] == "Deployment")


def pod(base: Base) -> Any:
    return workload(base)["spec"]["template"]["spec"]


def container(base: Base) -> Any:
    return pod(base)["containers"][0]


def of_kind(base: Base, kind: str) -> Any:
    return next(one for one in base.documents if one["kind"] == kind)


PLANTED: list[tuple[Rule, Callable[[Base], object]]] = [
    (file_is_left_out, lambda base: base.files.add("gone.yaml")),
    (holds_a_secret, lambda base: base.documents.append({"kind": "Secret", "metadata": {"name": "x"}})),
    (holds_a_secret, lambda base: container(base)["env"].append({"name": "NOTES_KAFKA_PASSWORD", "value": "x"})),
    (holds_a_secret, lambda base: container(base)["volumeMounts"].clear()),
    (setting_is_unknown, lambda base: container(base)["env"].append({"name": "NOTES_COMAND_BATCH", "value": "1"})),
    (setting_is_unknown, lambda base: base.kustomization["configMapGenerator"][0]["literals"].append("NOTES_KAFA=x")),
    (port_is_another, lambda base: container(base)["ports"][0].update(containerPort=8080)),
    (port_is_another, lambda base: container(base)["livenessProbe"]["httpGet"].update(path="/healthz")),
    (port_is_another, lambda base: container(base)["readinessProbe"]["httpGet"].update(port="http")),
    (port_is_another, lambda base: of_kind(base, "Service")["spec"]["ports"][0].update(port=80)),
    (port_is_another, lambda base: of_kind(base, "NetworkPolicy")["spec"]["ingress"][0]["ports"][0].update(port="web")),
    (may_more_than_it_needs, lambda base: pod(base)["securityContext"].update(runAsUser=0)),
    (may_more_than_it_needs, lambda base: pod(base)["securityContext"].update(seccompProfile={"type": "Unconfined"})),
    (may_more_than_it_needs, lambda base: pod(base).update(automountServiceAccountToken=True)),
    (may_more_than_it_needs, lambda base: container(base)["securityContext"].update(readOnlyRootFilesystem=False)),
    (may_more_than_it_needs, lambda base: container(base)["resources"].pop("limits")),
    (takes_settings_of_the_cluster, lambda base: pod(base).pop("enableServiceLinks")),
    (selects_nothing, lambda base: of_kind(base, "Service")["spec"]["selector"].update({"app": "x"})),
    (
        selects_nothing,
        lambda base: of_kind(base, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(a="x"),
    ),
    (command_is_unknown, lambda base: container(base).update(args=["serve", "--role", "api"])),
    (ends_too_early, lambda base: pod(base).update(terminationGracePeriodSeconds=20)),
    (ends_too_early, lambda base: workload(base)["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
]


@pytest.mark.parametrize(("rule", "change"), PLANTED)
def test_a_planted_fault_is_found(
    rule: Rule, change: Callable[[Base], object], capsys: pytest.CaptureFixture[str]
) -> None:
    base = copy.deepcopy(base_of("command-service"))
    change(base)
    assert len(rule(base)) >= 1


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _ in PLANTED} == set(RULES)


@pytest.mark.parametrize("name", NAMES)
def test_kustomize_builds_the_base(name: str) -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not on PATH: the Kustomize base is read, and not built")
    folder = ROOT / name / "deploy" / "kubernetes"
    built = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "kind: Deployment" in built.stdout

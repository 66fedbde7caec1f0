"""The Kustomize bases, held against Dockerfiles, settings and command lines. Each rule returns what is wrong."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings

from notes_chassis.health import Health
from notes_chassis.http.probes import probe_routes
from notes_chassis.http.server import GRACE_S

PLACE = "/run/notes"
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


@dataclass
class Base:
    """One base: its documents, what it generates, and the image that its containers run."""

    documents: list[dict[str, Any]]
    kustomization: dict[str, Any]
    files: set[str]
    dockerfile: str
    settings: type[BaseSettings]
    runs: Callable[[list[str]], object]
    """Takes arguments of the program; raises SystemExit where it knows them not."""

    @property
    def pods(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield each workload with its pod's spec."""
        for document in self.documents:
            if document["kind"] in {"Deployment", "Job"}:
                yield document, document["spec"]["template"]["spec"]

    @property
    def containers(self) -> Iterator[dict[str, Any]]:
        """Yield all containers."""
        for _, pod in self.pods:
            yield from pod["containers"]

    def environment(self, container: dict[str, Any]) -> dict[str, str]:
        """Return what a container's environment has of it: from the generated ConfigMap, then its own."""
        found = {}
        for source in container["envFrom"]:
            for one in self.kustomization["configMapGenerator"]:
                if one["name"] == source["configMapRef"]["name"]:
                    found |= dict(literal.split("=", 1) for literal in one["literals"])
        return found | {one["name"]: one["value"] for one in container.get("env", [])}


def read(folder: Path, settings: type[BaseSettings], runs: Callable[[list[str]], object]) -> Base:
    """Return the base below `folder`, a service's `deploy`."""
    kustomization = yaml.safe_load((folder / "kubernetes/kustomization.yaml").read_text(encoding="utf-8"))
    files = {path.name for path in (folder / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    texts = [(folder / "kubernetes" / name).read_text(encoding="utf-8") for name in sorted(files)]
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    return Base(documents, kustomization, files, (folder / "Dockerfile").read_text(encoding="utf-8"), settings, runs)


def file_is_left_out(base: Base) -> list[str]:
    """Each file is a resource, and the other way round."""
    return sorted(base.files ^ set(base.kustomization["resources"]))


def holds_a_secret(base: Base) -> list[str]:
    """Secrets are named, not made; what is one comes from a file that is mounted."""
    found = [one["metadata"]["name"] for one in base.documents if one["kind"] == "Secret"]
    found += [one["name"] for one in base.kustomization.get("secretGenerator", [])]
    for container in base.containers:
        mounted = [one["mountPath"] for one in container.get("volumeMounts", [])]
        for name, value in base.environment(container).items():
            if re.search(r"PASSWORD$|SECRET$|POSTGRES$|MONGO$", name):
                found.append(name)
            if value.startswith("/") and not any(value.startswith(f"{one}/") for one in mounted):
                found.append(f"{name}: nothing is mounted at {value}")
    return found


def setting_is_unknown(base: Base) -> list[str]:
    """A name that is written wrong is no error at the start, so it is one here."""
    known = {f"NOTES_{name.upper()}" for name in base.settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return sorted({name for container in base.containers for name in base.environment(container)} - known)


def port_is_another(base: Base) -> list[str]:
    """Containers listen where the image does, Services lead there by name, and probes ask for what answers."""
    found = []
    exposed = {int(port) for port in re.findall(r"^EXPOSE (.+)$", base.dockerfile, re.MULTILINE)[0].split()}
    answered = {route.path for route in probe_routes(Health(), ["x"], _nothing, "", "").routes}  # type: ignore[attr-defined]
    ports: dict[str, int] = {}
    for container in base.containers:
        mine = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        ports |= mine
        if mine and set(mine.values()) != exposed:
            found.append(f"{container['name']}: not the ports {sorted(exposed)}")
        for probe in PROBES if mine else ():
            asked = container[probe]["httpGet"]
            if asked["path"] not in answered or asked["port"] != ("ops" if "ops" in mine else "http"):
                found.append(f"{probe}: nothing answers {asked}")
    for service in (one for one in base.documents if one["kind"] == "Service"):
        found += [str(one) for one in service["spec"]["ports"] if ports.get(one["targetPort"]) != one["port"]]
    for policy in (one for one in base.documents if one["kind"] == "NetworkPolicy"):
        named = [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
        found += [f"no port {one}" for one in named if one not in ports]
    return found


async def _nothing() -> None: ...


def may_more_than_it_needs(base: Base) -> list[str]:
    """Each runs as the image's user, without privileges, on a file system that it cannot write, within limits."""
    user, group = map(int, re.findall(r"^USER (\d+):(\d+)$", base.dockerfile, re.MULTILINE)[0])
    found = []
    for workload, pod in base.pods:
        name, context = workload["metadata"]["name"], pod["securityContext"]
        if (context["runAsUser"], context["runAsGroup"], context["runAsNonRoot"]) != (user, group, True):
            found.append(f"{name}: not the user of the image")
        if context["seccompProfile"] != {"type": "RuntimeDefault"} or pod["automountServiceAccountToken"]:
            found.append(f"{name}: no seccomp profile, or a token")
        for container in pod["containers"]:
            if container["securityContext"] != {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }:
                found.append(f"{name}: privileges")
            if {kind for kind in ("requests", "limits") for _ in container["resources"].get(kind, ())} != {
                "requests",
                "limits",
            }:
                found.append(f"{name}: no requests or no limits")
    return found


def takes_settings_of_the_cluster(base: Base) -> list[str]:
    """A Service named notes-command makes NOTES_COMMAND_PORT=tcp://…, which no service can start with."""
    return [one["metadata"]["name"] for one, pod in base.pods if pod.get("enableServiceLinks") is not False]


def selects_nothing(base: Base) -> list[str]:
    """What selects pods finds some: Services, budgets, deployments, spreading."""
    common = base.kustomization["labels"][0]["pairs"].items()
    pods = [one["spec"]["template"]["metadata"]["labels"].items() | common for one, _ in base.pods]
    found = []
    for document in base.documents:
        spec = document.get("spec", {})
        selector = spec.get("selector", spec.get("podSelector", {}))
        wanted = [selector.get("matchLabels", selector)] if selector else []
        if document["kind"] == "Deployment":
            spreads = spec["template"]["spec"]["topologySpreadConstraints"]
            wanted += [one["labelSelector"]["matchLabels"] for one in spreads]
        name = f"{document['kind']} {document['metadata']['name']}"
        found += [f"{name}: no pod is {labels}" for labels in wanted if not any(labels.items() <= pod for pod in pods)]
    return found


def command_is_unknown(base: Base) -> list[str]:
    """The program knows its arguments."""
    found = []
    for container in base.containers:
        try:
            base.runs(container["args"])
        except SystemExit:
            found.append(" ".join(container["args"]))
    return found


def ends_too_early(base: Base) -> list[str]:
    """A service has the time for its end that it takes, and an old pod stays until a new one is ready."""
    found = []
    for workload, pod in base.pods:
        if workload["kind"] != "Deployment":
            continue
        hook = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", 0])
        if pod["terminationGracePeriodSeconds"] < int(hook[1]) + GRACE_S + 10:
            found.append(f"{workload['metadata']['name']}: killed amid its end")
        if workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            found.append(f"{workload['metadata']['name']}: an old pod goes before a new one is ready")
    return found


RULES: tuple[Callable[[Base], list[str]], ...] = (
    file_is_left_out,
    holds_a_secret,
    setting_is_unknown,
    port_is_another,
    may_more_than_it_needs,
    takes_settings_of_the_cluster,
    selects_nothing,
    command_is_unknown,
    ends_too_early,
)

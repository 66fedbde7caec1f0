"""A rule for import-linter: modules import the standard library and what is listed, and nothing else.

Its own `forbidden` takes a list of what is not allowed, and a library that nobody thought of passes.
"""

import sys
from collections.abc import Iterable

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def _within(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


class OnlyImports(Contract):
    """`source_modules` and what is below them may import `allowed_modules` and what is below those."""

    type_name = "only_imports"

    source_modules = fields.ListField(subfield=fields.StringField())
    allowed_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - the base class's
        """Look at the direct imports, those under TYPE_CHECKING included."""
        sources: list[str] = self.source_modules  # type: ignore[assignment]
        allowed: list[str] = self.allowed_modules  # type: ignore[assignment]
        if missing := [source for source in sources if source not in graph.modules]:
            raise ValueError(f"no such module: {', '.join(missing)}")
        found = [
            f"{module} -> {imported}"
            for module in sorted(graph.modules)
            if _within(module, sources)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] not in sys.stdlib_module_names and not _within(imported, allowed)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name every import that is not allowed."""
        for line in check.metadata["found"]:
            output.print_error(f"- {line}")

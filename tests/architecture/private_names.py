"""Who touches what is private in aiokafka and FastStream, or changes something of theirs."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeGuard

LIBRARIES: Final = ("aiokafka", "faststream")
KAFKA: Final = "chassis/src/notes_chassis/kafka"
PATCHES: Final = (f"{KAFKA}/aiokafka_patches.py", f"{KAFKA}/aiokafka_connections.py")
READS: Final = f"{KAFKA}/aiokafka_internals.py"
OF_NAMED_TUPLES: Final = ("_asdict", "_fields", "_make", "_replace")
SOURCES: Final = ("chassis/src", "command-service/src", "query-service/src", "web/src")


def complaints(root: Path) -> list[str]:
    """Return a line for each place outside of the three files that touches what is private, or changes a library."""
    found = []
    for source in SOURCES:
        for path in sorted((root / source).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name not in PATCHES:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                found += [f"{name}:{line}: {said}" for line, said in _faults(tree, reads=name == READS)]
    return found


def _faults(tree: ast.Module, *, reads: bool) -> Iterator[tuple[int, str]]:
    theirs = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_theirs(node.module or ""):
            names = [alias.name for alias in node.names]
            theirs |= {alias.asname or alias.name for alias in node.names}
            if any(part.startswith("_") for part in [*(node.module or "").split("."), *names]):
                yield node.lineno, f"imports a private name of {node.module}"
        elif isinstance(node, ast.Import):
            theirs |= {(alias.asname or alias.name).split(".")[0] for alias in node.names if _is_theirs(alias.name)}
    for node in ast.walk(tree):
        if not reads:
            yield from _touched(node)
        yield from _changed(node, theirs)


def _touched(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute) and _private(node.attr) and not _own(node.value):
        yield node.lineno, f"touches {node.attr}"
    elif _calls(node, "getattr", "setattr", "delattr"):
        name = node.args[1]
        if isinstance(name, ast.Constant) and _private(str(name.value)):
            yield node.lineno, f"touches {name.value}"


def _changed(node: ast.AST, theirs: set[str]) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del) and _root(node) in theirs:
        yield node.lineno, f"changes {ast.unparse(node)}"
    elif _calls(node, "setattr", "delattr") and _root(node.args[0]) in theirs:
        yield node.lineno, f"changes {ast.unparse(node.args[0])}"
    elif isinstance(node, ast.ClassDef) and theirs & {_root(base) for base in node.bases}:
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and _private(inner.name):
                yield inner.lineno, f"may replace {inner.name} of {ast.unparse(node.bases[0])}"


def _calls(node: ast.AST, *names: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_theirs(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in LIBRARIES


def _private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in OF_NAMED_TUPLES


def _own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""

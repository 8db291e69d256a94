"""Modules import each other in no circle, type-only imports included, and the application keeps to the public names.

import-linter holds the order of the rooms and finds no circle between the modules of one room's subfolders; `service.py` is a lone
module, which it cannot take.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules_of(root: Path) -> dict[str, Path]:
    """Every module under its full name; `mooring/plugins` is a link to `plugins`."""
    found: dict[str, Path] = {}
    for folder in ("storage", "mooring", "plugins"):
        for path in (root / folder).rglob("*.py"):
            inside = path.relative_to(root)
            parts = [*(["mooring"] if folder == "plugins" else []), *inside.with_suffix("").parts]
            if inside.parts[:2] != ("mooring", "plugins"):
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports_of(name: str, path: Path) -> Iterator[str]:
    """What a module imports, wherever in it the import stands; names out of a module as `module.name`."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def graph_of(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    """Which module imports which, among these."""

    def imported(name: str) -> str:
        return name if name in modules else name.rpartition(".")[0]

    return {name: {imported(each) for each in imports_of(name, path)} & modules.keys() - {name} for name, path in modules.items()}


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def test_no_circle() -> None:
    graph = graph_of(modules_of(ROOT))
    assert len(graph) > 200
    assert "mooring.errors" in graph["mooring"]
    assert circle_in(graph) == []


@pytest.mark.parametrize(
    "line",
    ["import mooring.a", "from mooring import a", "from mooring.a import x", "from . import a", "from .a import x", "from ..mooring.a import x"],
)
@pytest.mark.parametrize("place", ["{}", "if TYPE_CHECKING:\n    {}", "def f():\n    {}"])
def test_a_circle_would_be_found(tmp_path: Path, line: str, place: str) -> None:
    (tmp_path / "mooring").mkdir()
    (tmp_path / "mooring" / "a.py").write_text("from mooring.b import y")
    (tmp_path / "mooring" / "b.py").write_text(place.format(line))
    assert set(circle_in(graph_of(modules_of(tmp_path)))) == {"mooring.a", "mooring.b"}


def test_the_application_needs_only_what_any_application_can_have() -> None:
    imported = set(imports_of("service", ROOT / "service.py"))
    assert {name.rpartition(".")[0] or name for name in imported} - sys.stdlib_module_names <= {"__future__", "mooring"}

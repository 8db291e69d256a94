"""Rewriting the imports of a bot from `moobius` to `mooring`, and finding what that alone does not do.

Only the names of modules are replaced where they stand in the text, so that the layout of the file and its comments stay.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mooring import types
from mooring.sdk.surface import HTTP_API, SERVICE, TYPES, WS_CLIENT, Surface

SDK = "moobius"

_NEW_MODULES: Mapping[str, str] = {
    "moobius": "mooring",
    "moobius.types": "mooring.types",
    "moobius.json_utils": "mooring.sdk.json_utils",
    "moobius.core.sdk": "mooring",
    "moobius.core.wand": "mooring",
    "moobius.core.groups": "mooring.sdk.groups",
    "moobius.database": "storage",
    "moobius.database.storage": "storage",
    "moobius.database.database_interface": "storage",
    "moobius.database.json_database": "storage",
    "moobius.database.redis_database": "storage",
    "moobius.database.null_database": "storage",
}

_NAMES: Mapping[str, frozenset[str]] = {
    "moobius": frozenset({"Moobius", "MoobiusStorage", "MoobiusWand", "types", "json_utils"}),
    "moobius.types": frozenset(types.__all__),
    "moobius.core.sdk": frozenset({"Moobius", "MoobiusStorage", "types", "json_utils"}),
    "moobius.core.wand": frozenset({"MoobiusWand"}),
    "moobius.core.groups": frozenset({"ServiceGroupLib"}),
    "moobius.database": frozenset(),
    "moobius.database.storage": frozenset({"CachedDict", "MoobiusStorage"}),
    "moobius.database.database_interface": frozenset({"DatabaseInterface"}),
    "moobius.database.json_database": frozenset({"JSONDatabase", "DatabaseInterface"}),
    "moobius.database.redis_database": frozenset({"RedisDatabase", "DatabaseInterface"}),
    "moobius.database.null_database": frozenset({"NullDatabase", "DatabaseInterface"}),
}
"""What can be imported from each."""

_BY_STAR = frozenset({"os", "dataclasses", "pathlib", "dataclass", "Optional", "Any", "logger"})
"""What `from moobius.types import *` brings in besides, as that module has no `__all__`."""

_PLATFORM = "that is the SDK's way to its platform, which there is not here"
_CAME_ALONG = frozenset({"loguru", "dacite", "aiohttp", "aioprocessing", "requests", "fsspec"})
"""Packages that were installed with the SDK."""

_SURFACES = {"http_api": HTTP_API, "ws_client": WS_CLIENT}


@dataclass(frozen=True)
class Remark:
    """What a person has to look at. With `is_open` the file does not run, or does less, until somebody does."""

    line: int
    text: str
    is_open: bool = True


@dataclass(frozen=True)
class Ported:
    """A file with its new imports."""

    text: str
    changes: int
    remarks: tuple[Remark, ...]


def port(source: str) -> Ported:
    """The file with its imports rewritten. Raises SyntaxError."""
    tree = ast.parse(source)
    edits: list[_Edit] = []
    remarks: list[Remark] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_sdk(node.module or ""):
            _port_from(source, node, edits, remarks)
        elif isinstance(node, ast.Import):
            _port_import(source, node, edits, remarks)
    if edits or remarks:
        remarks += _uses(tree)
    remarks += _other_imports(tree)
    return Ported(_apply(source, edits), len(edits), tuple(sorted(set(remarks), key=lambda each: (each.line, each.text))))


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def _is_sdk(module: str) -> bool:
    return module == SDK or module.startswith(SDK + ".")


def _port_from(source: str, node: ast.ImportFrom, edits: list[_Edit], remarks: list[Remark]) -> None:
    module = node.module or ""
    new = _NEW_MODULES.get(module)
    names = [alias.name for alias in node.names]
    if new is None:
        remarks.append(Remark(node.lineno, f"{module} has no counterpart: {_PLATFORM}"))
        return
    if module in {"moobius.database", "moobius.core"}:
        names = [name for name in names if f"{module}.{name}" not in _NEW_MODULES]
    known = _NAMES.get(module, frozenset(names))
    for name in names:
        if name not in known and name != "*":
            remarks.append(Remark(node.lineno, f"{new} has no {name}{f': {TYPES.missing[name]}' if name in TYPES.missing else ''}"))
    place = _find(source, module, _offset(source, node.lineno, node.col_offset) + len("from"))
    if place is None:
        remarks.append(Remark(node.lineno, f"write {module} without spaces in it, and port the file again"))
    else:
        edits.append(_Edit(place, place + len(module), new))


def _port_import(source: str, node: ast.Import, edits: list[_Edit], remarks: list[Remark]) -> None:
    for alias in node.names:
        if not _is_sdk(alias.name):
            continue
        new = _NEW_MODULES.get(alias.name)
        place = _find(source, alias.name, _offset(source, alias.lineno, alias.col_offset))
        if new is None:
            remarks.append(Remark(node.lineno, f"{alias.name} has no counterpart: {_PLATFORM}"))
        elif place is None:
            remarks.append(Remark(node.lineno, f"write {alias.name} without spaces in it, and port the file again"))
        elif alias.asname is not None:
            edits.append(_Edit(place, place + len(alias.name), new))
        elif alias.name in {SDK, "moobius.types"}:
            # The file goes on to say `moobius`; `types` is an attribute of what that means from now on.
            edits.append(_Edit(place, place + len(alias.name), "mooring as moobius"))
        else:
            remarks.append(Remark(node.lineno, f"import {alias.name}: import what you need of it from {new}, and say it by its own name"))


def _uses(tree: ast.Module) -> Iterator[Remark]:
    """Calls and hooks that are not there or do nothing, and dicts that are taken for plain ones."""
    stars = any(isinstance(node, ast.ImportFrom) and node.module == "moobius.types" and node.names[0].name == "*" for node in ast.walk(tree))
    if stars:
        yield from _left_behind(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.ClassDef) and any(_last_name(base) == "Moobius" for base in node.bases):
            yield from _hooks(node)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _attribute(node: ast.Attribute) -> Iterator[Remark]:
    owner = _last_name(node.value)
    if owner == "self" or (isinstance(node.value, ast.Call) and _last_name(node.value.func) == "super"):
        yield from _judged(SERVICE, node.attr, node.lineno)
    elif owner in _SURFACES:
        yield from _judged(_SURFACES[owner], node.attr, node.lineno)
    elif owner == "types":
        yield from _judged(TYPES, node.attr, node.lineno)


def _judged(surface: Surface, name: str, line: int) -> Iterator[Remark]:
    if name in surface.missing:
        yield Remark(line, f"{name} is not there: {surface.missing[name]}")
    elif name in surface.nothing and not name.startswith("on_"):
        yield Remark(line, f"{name} does nothing here: {surface.nothing[name]}", is_open=False)


def _hooks(node: ast.ClassDef) -> Iterator[Remark]:
    for each in node.body:
        if isinstance(each, ast.AsyncFunctionDef) and each.name in SERVICE.nothing:
            yield Remark(each.lineno, f"{each.name} is never called here: {SERVICE.nothing[each.name]}", is_open=False)


def _call(node: ast.Call) -> Iterator[Remark]:
    called = ast.unparse(node.func)
    if called in {"json.dumps", "json.dump"} and node.args and _is_stored(node.args[0]):
        shown = ast.unparse(node.args[0])
        yield Remark(node.lineno, f"{called} cannot see into a dict of the storage, which is a mapping and no dict: write {shown}.copy()")
    elif called == "isinstance" and len(node.args) == 2 and _is_stored(node.args[0]) and _last_name(node.args[1]) == "dict":
        yield Remark(node.lineno, f"{ast.unparse(node.args[0])} is a mapping and no dict: ask for collections.abc.Mapping")
    elif called in {"importlib.import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
        module = str(node.args[0].value)
        if _is_sdk(module):
            yield Remark(node.lineno, f"{called} names {module}, which only you can rename")


def _is_stored(node: ast.expr) -> bool:
    """Whether this is a dict of a storage, as bots write it: `self.channels[...].stats`."""
    if not isinstance(node, ast.Attribute):
        return False
    owner = node.value
    return isinstance(owner, ast.Subscript) and _last_name(owner.value) in {"channels", "channel_stores"}


def _left_behind(tree: ast.Module) -> Iterator[Remark]:
    """Names that only the star of `moobius.types` had brought in."""
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _BY_STAR - bound:
            yield Remark(node.lineno, f"{node.id} came in by `from moobius.types import *`; import it yourself")


def _other_imports(tree: ast.Module) -> Iterator[Remark]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""] if not node.level else []
        for package in {module.partition(".")[0] for module in modules} & _CAME_ALONG:
            yield Remark(node.lineno, f"{package} was installed with the SDK and is not with Mooring: pip install {package}", is_open=False)


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _find(source: str, module: str, place: int) -> int | None:
    """Where the name of a module begins that is the next thing in the text."""
    match = re.compile(rf"[\s\\]*({re.escape(module)})").match(source, place)
    return None if match is None else match.start(1)


def _offset(source: str, line: int, column: int) -> int:
    """Where a place of the syntax tree is in the text; its columns count bytes, and its lines end as Python's do."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n|\Z)", source)
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())


def _apply(source: str, edits: Iterable[_Edit]) -> str:
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source

"""Where plugins are found: a folder that the config names, this package, or an installed distribution."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from plugins._text import suggestion

ENTRY_POINT_GROUP = "mooring.plugins"
_FOLDER_PREFIX = "mooring_plugin_"
_BUILT_IN = Path(__file__).parent


class NotFound(Exception):
    """There is no plugin of this name."""


def find_plugin(name: str, folders: Sequence[str] = (), *, fresh: bool = False) -> ModuleType:
    """Import the plugin called `name`: from a folder first, then a built-in one, then an entry point.

    `fresh` runs its code anew and leaves the objects of the old module as they are. Raises NotFound, or whatever its code raises.
    """
    for folder in folders:
        path = _file_in(Path(folder), name)
        if path is not None:
            return _import_file(name, path, fresh=fresh)
    if name.isidentifier() and not name.startswith("_") and _file_in(_BUILT_IN, name) is not None:
        return _import_named(f"{__package__}.{name}", fresh=fresh)
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=name):
        return _import_named(entry_point.value.partition(":")[0], fresh=fresh)
    raise NotFound(f"there is no plugin of this name.{suggestion(name, plugin_names(folders))}")


def plugin_names(folders: Sequence[str] = ()) -> list[str]:
    """Every name that `find_plugin` would find, sorted."""
    names = {path.stem for folder in (_BUILT_IN, *map(Path, folders)) if folder.is_dir() for path in folder.iterdir() if _file_in(folder, path.stem)}
    names |= {entry_point.name for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    return sorted(name for name in names if not name.startswith("_"))


def _file_in(folder: Path, name: str) -> Path | None:
    if not name.isidentifier():
        return None
    module, package = folder / f"{name}.py", folder / name / "__init__.py"
    return module if module.is_file() else package if package.is_file() else None


def _import_file(name: str, path: Path, *, fresh: bool) -> ModuleType:
    full_name = _FOLDER_PREFIX + name
    loaded = sys.modules.get(full_name)
    if loaded is not None and not fresh and loaded.__file__ == str(path):
        return loaded
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(full_name, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise NotFound(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    with _Replaced(full_name):
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return module


def _import_named(full_name: str, *, fresh: bool) -> ModuleType:
    if not fresh:
        return importlib.import_module(full_name)
    with _Replaced(full_name):
        return importlib.import_module(full_name)


class _Replaced:
    """Forgets a module and its parts while a new one is imported, and brings the old ones back if that fails."""

    def __init__(self, full_name: str) -> None:
        self._full_name = full_name
        self._old: dict[str, ModuleType] = {}

    def __enter__(self) -> None:
        importlib.invalidate_caches()
        for name in self._current():
            self._old[name] = sys.modules.pop(name)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for name in self._current():
                del sys.modules[name]
            sys.modules.update(self._old)

    def _current(self) -> list[str]:
        return [name for name in sys.modules if name == self._full_name or name.startswith(self._full_name + ".")]

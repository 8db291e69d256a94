"""Where plugins are found: a folder that the config names, the built-in ones, or an installed distribution."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from mooring.text import suggestion
from storage.encoding import codec

ENTRY_POINT_GROUP = "mooring.plugins"
_FOLDER_PREFIX = "mooring_plugin_"
_BUILT_IN = Path(__file__).parents[1] / "plugins"


class NotFound(Exception):
    """There is no plugin of this name."""


def find_plugin(name: str, folders: Sequence[str] = ()) -> ModuleType:
    """Import the plugin called `name`: from a folder first, then a built-in one, then an entry point.

    Raises NotFound, or whatever its code raises.
    """
    for folder in folders:
        path = _file_in(Path(folder), name)
        if path is not None:
            return _import_file(name, path)
    if name.isidentifier() and not name.startswith("_") and _file_in(_BUILT_IN, name) is not None:
        return importlib.import_module(f"mooring.plugins.{name}")
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=name):
        return importlib.import_module(entry_point.value.partition(":")[0])
    raise NotFound(f"there is no plugin of this name.{suggestion(name, plugin_names(folders))}")


def plugin_names(folders: Sequence[str] = ()) -> list[str]:
    """Every name that `find_plugin` would find, sorted."""
    names = {*built_in_names(), *(name for folder in folders for name in _names_in(Path(folder)))}
    names |= {entry_point.name for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    return sorted(name for name in names if not name.startswith("_"))


def built_in_names() -> list[str]:
    """The plugins that come with Mooring, sorted."""
    return sorted(_names_in(_BUILT_IN))


def module_name(name: str) -> str:
    """What the module of a plugin from a folder is called."""
    return _FOLDER_PREFIX + name


def _names_in(folder: Path) -> set[str]:
    found = {path.stem for path in folder.iterdir()} if folder.is_dir() else set()
    return {name for name in found if not name.startswith("_") and _file_in(folder, name) is not None}


def _file_in(folder: Path, name: str) -> Path | None:
    if not name.isidentifier():
        return None
    module, package = folder / f"{name}.py", folder / name / "__init__.py"
    return module if module.is_file() else package if package.is_file() else None


def _import_file(name: str, path: Path) -> ModuleType:
    full_name = module_name(name)
    loaded = sys.modules.get(full_name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(full_name, path, loader=_FromSource(full_name, str(path)), submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise NotFound(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    with renewed(full_name):
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return module


class _FromSource(importlib.machinery.SourceFileLoader):
    """Reads the source each time: compiled files tell an edit only by its second and size."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


@contextmanager
def renewed(full_name: str) -> Iterator[None]:
    """Let the code of a module and its parts run anew inside the block; if the block fails, everything is as it was.

    Classes of the module that were registered for storage keep their stored names.
    """
    importlib.invalidate_caches()
    old = {name: sys.modules.pop(name) for name in _parts(full_name)}
    with codec.redefining():
        try:
            yield
        except BaseException:
            for name in _parts(full_name):
                del sys.modules[name]
            sys.modules.update(old)
            raise


def _parts(full_name: str) -> list[str]:
    return [name for name in sys.modules if name == full_name or name.startswith(full_name + ".")]

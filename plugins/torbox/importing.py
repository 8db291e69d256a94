"""Lists from files: the JSON that TorBox answers, saved in the folder that the config names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mooring import CommandError, clip, suggestion
from mooring.plugins.torbox.documents import decode
from mooring.plugins.torbox.records import KINDS, Kind

LARGEST_FILE = 256 * 1024 * 1024


def read_list(folder: str | Path, name: str) -> list[Any]:
    """The items of a saved answer, or of a bare list of them. Raises CommandError."""
    path = _inside(Path(folder), name)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CommandError(f"{clip(name)} is larger than {LARGEST_FILE // 1024**2} MB.")
        content = decode(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{clip(name)} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CommandError(f"{clip(name)} is not JSON.") from error
    items = content.get("data") if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise CommandError(f'{clip(name)} does not look like a list of TorBox: expected is {{"data": [...]}} or a list.')
    return items


def kind_of_file(name: str) -> Kind:
    """The kind that the file's name speaks of, torrents if it speaks of none."""
    folded = name.casefold()
    return next((kind for kind in KINDS if kind.rstrip("s") in folded), "torrents")


def _inside(folder: Path, name: str) -> Path:
    """The file of this name in the folder; nothing that a name or a link leads to elsewhere."""
    root = folder.resolve()
    try:
        path = (root / name).resolve()
        plain = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):
        plain = False
    if not plain:
        known = [file.name for file in root.iterdir() if file.is_file()] if root.is_dir() else []
        hint = suggestion(name, known) if known else " The folder holds no file."
        raise CommandError(f"There is no file {clip(name)} in the import folder ({folder}).{hint}")
    return path

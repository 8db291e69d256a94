"""`json_utils` of the Moobius SDK: JSON in which dataclasses are marked, and configs whose parts are files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mooring.sdk.marks import known_classes, mark, restore


def marked_recursive_dataclass(data: Any) -> Any:
    """The data with objects in the place of marks. Raises TypeError for classes that are not known here."""
    return restore(data, known_classes())


def marked_recursive_undataclass(data: Any, typemark_dataclasses: bool) -> Any:
    """The data with marks, or plain dicts, in the place of dataclasses."""
    return mark(data, typed=typemark_dataclasses)


def enhanced_json_load(filename: Any) -> Any:
    """What a JSON file, given by its name or open, or bytes hold, with objects in the place of marks. Raises TypeError and ValueError."""
    if isinstance(filename, bytes):
        text: Any = filename
    elif hasattr(filename, "read"):
        text = filename.read()
    else:
        text = Path(filename).read_text("utf-8")
    return marked_recursive_dataclass(json.loads(text))


def enhanced_json_save(filename: Any, data: Any, typemark_dataclasses: bool = True, indent: int | None = 2) -> str:
    """Write data as JSON to a file, given by its name or open, or to none for None, and return the text."""
    text = json.dumps(marked_recursive_undataclass(data, typemark_dataclasses), indent=indent)
    if hasattr(filename, "write"):
        filename.write(text)
    elif filename:
        Path(filename).write_text(text, "utf-8")
    return text


def recursive_json_load(x: Any) -> Any:
    """The same with what JSON files hold in the place of their names, wherever a text is the name of one."""
    if isinstance(x, dict):
        return {key: recursive_json_load(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [recursive_json_load(each) for each in x]
    if isinstance(x, str) and x.lower().endswith(".json") and "\n" not in x:
        return recursive_json_load(json.loads(Path(x).read_text("utf-8")))
    return x


def update_jsonfile(fname: str | os.PathLike[str], key_path: Sequence[Any], value: Any) -> None:
    """Set one value in a JSON file; `key_path` leads to it."""
    whole = enhanced_json_load(fname)
    place = whole
    for key in key_path[:-1]:
        place = place[key]
    place[key_path[-1]] = value
    enhanced_json_save(fname, whole)

"""How the SDK writes dataclasses into JSON: `{"_moobius_type": "module.Class", "_moobius_val": {...}}`.

The SDK imports whatever a file names. Here a name finds a class of `mooring.types`, or one that was registered for storage, and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from mooring.types.bodies import KEPT_CLASSES
from storage import registered_classes

TYPE, VALUE = "_moobius_type", "_moobius_val"

_OF_THE_SDK = {f"moobius.types.{cls.__name__}": cls for cls in KEPT_CLASSES}
_MAIN = "__main__"


class UnknownClass(TypeError):
    """Data names a class that is not known here."""

    def __init__(self, name: str) -> None:
        self.class_name = name
        super().__init__(f"the class {name} is not known here; register it (from storage import register) and import what does")


def known_classes() -> Mapping[str, type]:
    """The classes that marks may name, as the SDK calls them."""
    known: dict[str, type] = {}
    for cls in registered_classes():
        if dataclasses.is_dataclass(cls):
            known[f"{cls.__module__}.{cls.__name__}"] = cls
            known.setdefault(f"{_MAIN}.{cls.__name__}", cls)  # what it was called in the file that was run
    return {**known, **_OF_THE_SDK}


def restore(data: Any, classes: Mapping[str, type]) -> Any:
    """The data with objects in the place of marks. Raises UnknownClass, and TypeError for values that do not fit their class."""
    if isinstance(data, list):
        return [restore(item, classes) for item in data]
    if not isinstance(data, dict):
        return data
    if TYPE not in data or VALUE not in data:
        return {key: restore(item, classes) for key, item in data.items()}
    name = data[TYPE]
    if name == "NoneType":
        return None
    cls = classes.get(name) if isinstance(name, str) else None
    if cls is None:
        raise UnknownClass(str(name))
    try:
        return msgspec.convert(data[VALUE], cls)
    except (msgspec.ValidationError, TypeError) as error:
        raise TypeError(f"what is kept of a {name} does not fit it: {error}") from error


def mark(data: Any, *, typed: bool = True) -> Any:
    """The data with marks in the place of dataclasses, or, untyped, with dicts of their fields."""
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        fields = dataclasses.asdict(data)
        return {TYPE: f"{type(data).__module__}.{type(data).__name__}", VALUE: fields} if typed else fields
    if isinstance(data, dict):
        return {key: mark(item, typed=typed) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [mark(item, typed=typed) for item in data]
    return {mark(item, typed=typed) for item in data} if isinstance(data, set) else data

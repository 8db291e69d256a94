"""Which classes may be stored, and under which names.

Stored data carries a name, never something to import: a name that no running code registered builds nothing.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import TypeVar, overload

from storage.errors import StorageError

Registered = TypeVar("Registered", bound=type)

_SDK = "moobius.types"
"""The module of the Moobius SDK whose dataclasses are kept without being registered: bots of it that keep them cannot know of `register`."""


class Registry:
    """The two-way table between classes and their stored names. Safe to use from several threads."""

    def __init__(self) -> None:
        self._names: dict[type, str] = {}
        self._classes: dict[str, type] = {}
        self._plain_fields: dict[type, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._redefining = 0

    @overload
    def register(self, cls: Registered, *, name: str | None = None, formerly: Sequence[str] = ()) -> Registered: ...
    @overload
    def register(self, cls: None = None, *, name: str | None = None, formerly: Sequence[str] = ()) -> Callable[[Registered], Registered]: ...

    def register(
        self, cls: Registered | None = None, *, name: str | None = None, formerly: Sequence[str] = ()
    ) -> Registered | Callable[[Registered], Registered]:
        """Allow a dataclass or an Enum to be stored; a decorator with or without arguments, or a function.

        The stored name is the class's qualified name unless `name` says otherwise: give one before renaming a class whose
        objects are already stored. What was stored under one of the names in `formerly` is read as this class, too. Raises
        StorageError if the name or the class is taken, or if the class cannot be restored.
        """
        if cls is None:
            return lambda decorated: self._add(decorated, name, formerly)
        return self._add(cls, name, formerly)

    @contextmanager
    def redefining(self) -> Iterator[None]:
        """Inside the block a class may take over the stored name of one with the same module and qualified name.

        For running the code of a module anew; objects of the class that was can still be stored. If the block fails, all
        names are as they were.
        """
        with self._lock:
            before = dict(self._names), dict(self._classes)
            self._redefining += 1
        try:
            yield
        except BaseException:
            with self._lock:
                self._names, self._classes = before
            raise
        finally:
            with self._lock:
                self._redefining -= 1

    def name_of(self, cls: type) -> str | None:
        """The stored name of a class that can be stored."""
        return self._names.get(cls) or (f"{_SDK}.{cls.__name__}" if _is_of_sdk(cls) else None)

    def classes(self) -> tuple[type, ...]:
        """All registered classes, in the order in which they were registered."""
        return tuple(self._names)

    def plain_fields(self, cls: type) -> tuple[str, ...] | None:
        """The fields of a registered dataclass whose objects keep them all, and nothing else, in `__dict__`; None for other classes."""
        return self._plain_fields.get(cls)

    def class_of(self, name: object) -> type | None:
        """The class behind a stored name, which may be anything that the data holds."""
        if not isinstance(name, str):
            return None
        module, _, sdk_name = name.rpartition(".")
        if module == _SDK and (loaded := sys.modules.get(_SDK)) is not None:  # never imported because some data says so
            found = getattr(loaded, sdk_name, None)
            if isinstance(found, type) and _is_of_sdk(found):
                return found
        return self._classes.get(name)

    def _add(self, cls: Registered, name: str | None, formerly: Sequence[str]) -> Registered:
        _check_restorable(cls)
        name = cls.__qualname__ if name is None else name
        with self._lock:
            for each in (name, *formerly):
                holder = self._classes.get(each, cls)
                if holder is not cls and not (self._redefining and _is_again(holder, cls)):
                    raise StorageError(f"the stored name {each!r} already belongs to {holder.__module__}.{holder.__qualname__}; give another name=")
            if self._names.get(cls, name) != name:
                raise StorageError(f"{cls.__qualname__} is already registered as {self._names[cls]!r}")
            self._names[cls] = name
            self._classes.update(dict.fromkeys((name, *formerly), cls))
            if not issubclass(cls, Enum) and not any("__slots__" in vars(base) for base in cls.__mro__):
                self._plain_fields[cls] = tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]  # it is one
        return cls


def _is_of_sdk(cls: type) -> bool:
    return cls.__module__ == _SDK and "__dataclass_fields__" in vars(cls)


def _is_again(old: type, new: type) -> bool:
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _check_restorable(cls: type) -> None:
    if not isinstance(cls, type):
        raise StorageError(f"only dataclasses and Enum classes can be registered, and {cls!r} is not a class")
    if issubclass(cls, Enum):
        return
    if "__dataclass_fields__" not in vars(cls):
        # A plain subclass of a dataclass looks like one to dataclasses.is_dataclass, but its own annotations are no fields.
        raise StorageError(f"only dataclasses and Enum classes can be registered; put @dataclass above {cls.__qualname__}")
    try:
        object.__new__(cls)  # what reading a stored value will do
    except TypeError as error:
        raise StorageError(f"{cls.__qualname__} is abstract, or inherits from a built-in class whose part would be lost: {error}") from error

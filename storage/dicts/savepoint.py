"""Undoing a part of a transaction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any

from storage.dicts.content import Content
from storage.dicts.overlay import Overlay
from storage.dicts.scope import Scope, enclosing
from storage.domain_lock import DomainLock
from storage.encoding import codec
from storage.encoding.texts import SCALARS
from storage.errors import StorageError, ValueRefused


class Savepoint:
    """A `with` block inside a transaction; storages make it."""

    __slots__ = ("_locks", "_owner", "_saved", "_scope")

    def __init__(self, owner: object, locks: tuple[DomainLock, ...]) -> None:
        self._owner = owner
        self._locks = locks
        self._scope: Scope | None = None
        self._saved: dict[Content, _SavedOverlay] = {}

    def __enter__(self) -> None:
        scope = self._scope = enclosing(self._owner, self._locks)
        if scope is None:
            raise StorageError("a savepoint needs an open transaction around it")
        self._saved = {content: _SavedOverlay(overlay) for content, overlay in scope.overlays.items()}

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        scope, saved = self._scope, self._saved
        self._scope, self._saved = None, {}
        if kind is None or scope is None or not scope.is_open:
            return
        for content, overlay in scope.overlays.items():
            (saved.get(content) or _SavedOverlay(Overlay(content))).restore(overlay)


class _SavedOverlay:
    """What an overlay was at one moment."""

    __slots__ = ("_added", "_before", "_changed", "_containers", "_detached", "_handed", "_removed", "_values")

    def __init__(self, overlay: Overlay) -> None:
        self._removed, self._changed, self._added = overlay.removed.copy(), overlay.changed.copy(), overlay.added.copy()
        self._before, self._values = overlay.before.copy(), overlay.values.copy()
        self._handed, self._detached = overlay.handed.copy(), len(overlay.detached)
        self._containers = _Containers(self._values[key] for key in self._handed)

    def restore(self, overlay: Overlay) -> None:
        """Used once: what was saved is the overlay's own afterwards."""
        handed_out = [*(overlay.values[key] for key in overlay.handed), *overlay.detached[self._detached :]]
        for value in self._containers.made_since(handed_out):
            with suppress(ValueRefused):  # what can never be kept need not be guarded
                overlay.undone.append((value, codec.encode(value)))
        overlay.removed, overlay.changed, overlay.added = self._removed, self._changed, self._added
        overlay.before, overlay.values, overlay.handed = self._before, self._values, self._handed
        overlay.tail = None
        del overlay.detached[self._detached :]
        self._containers.restore()


class _Containers:
    """What can be changed in place in some values, with the content that it has now."""

    __slots__ = ("_contents",)

    def __init__(self, values: Iterable[Any]) -> None:
        self._contents: dict[int, tuple[Any, Any]] = {}
        waiting = list(values)
        while waiting:
            value = waiting.pop()
            kind = type(value)
            if id(value) in self._contents:
                continue
            parts: Iterable[Any] = value
            if kind is dict or kind is list or kind is set:
                self._contents[id(value)] = (value, value.copy())
                parts = value.values() if kind is dict else value
            elif dataclasses.is_dataclass(kind):
                fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if hasattr(value, field.name)}
                self._contents[id(value)] = (value, fields)
                parts = fields.values()
            elif kind is not tuple and kind is not frozenset:
                continue
            waiting += [part for part in parts if type(part) not in SCALARS]

    def restore(self) -> None:
        """Give them their content back: they stay the same objects."""
        for value, content in self._contents.values():
            if type(value) is list:
                value[:] = content
            elif type(value) is dict or type(value) is set:
                value.clear()
                value.update(content)
            else:
                for name, part in content.items():
                    object.__setattr__(value, name, part)

    def made_since(self, values: Iterable[Any]) -> list[Any]:
        """Those in the values as they are now that are not among these."""
        return [value for value, _ in _Containers(values)._contents.values() if id(value) not in self._contents]

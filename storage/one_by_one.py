"""A commit for engines that have only the four methods: change by change, and back again when one fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import CommitFailed


class KeyValueStore(Protocol):
    """What is asked of an engine here; the results are those of DatabaseInterface."""

    def get_value(self, key: str) -> tuple[bool, Any]: ...

    def set_value(self, key: str, value: Any) -> tuple[bool, str]: ...

    def delete_key(self, key: str) -> tuple[bool, str]: ...


_Done = tuple[KeyValueStore, str, tuple[bool, Any]]
"""A change that was made: the engine, the key, and what the engine answered before."""


def commit_one_by_one(changes: Iterable[tuple[KeyValueStore, str, Encoded | None]]) -> None:
    """Raises CommitFailed when an engine refuses, or raises in spite of its contract; what was done is taken back then."""
    done: list[_Done] = []
    for engine, key, encoded in changes:
        done.append(_change(engine, key, encoded, done))


def _change(engine: KeyValueStore, key: str, encoded: Encoded | None, done: Sequence[_Done]) -> _Done:
    try:
        before = engine.get_value(key)
    except Exception as error:
        _take_back(done)
        raise CommitFailed(f"{engine!r} could not be read at {key!r}: {error!r}; nothing was changed") from error
    change = (engine, key, before)
    try:
        accepted, message = _apply(engine, key, encoded)
    except BaseException as error:
        _take_back([*done, change], doubtful=change)
        if not isinstance(error, Exception):
            raise
        raise CommitFailed(f"{engine!r} failed at {key!r}: {error!r}; nothing was changed") from error
    if not accepted:
        _take_back(done)
        raise CommitFailed(f"{engine!r} refused {key!r}: {message}; nothing was changed")
    return change


def _apply(engine: KeyValueStore, key: str, encoded: Encoded | None) -> tuple[bool, str]:
    if encoded is None:
        return engine.delete_key(key)
    return engine.set_value(key, codec.decode(encoded))


def _take_back(done: Sequence[_Done], doubtful: _Done | None = None) -> None:
    """Latest first. Of the `doubtful` change nobody knows whether it was done, so that its refusal to be restored says nothing."""
    lost = []
    for change in reversed(done):
        engine, key, (existed, value) = change
        try:
            accepted, message = engine.set_value(key, value) if existed else engine.delete_key(key)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other keys have to be restored
            accepted, message = False, repr(error)
        if not accepted and change is not doubtful:
            lost.append(f"{engine!r} refused a commit and then refused to restore {key!r}: {message}")
    if lost:
        raise CommitFailed("; ".join(lost))

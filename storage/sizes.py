"""How much room the dicts of storages take, as far as their engines can tell. Engines are asked, which blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from storage.database_interface import DatabaseInterface
from storage.errors import StorageError
from storage.moobius_storage import MoobiusStorage


def size_of(storage: MoobiusStorage) -> int | None:
    """Bytes that the dicts of one storage take, those of `system` included; None if no engine can tell."""
    told = [size for engine in engines_of(storage) if (size := _ask(engine, engine.size)) is not None]
    return sum(told) if told else None


def shared_sizes(storages: Iterable[MoobiusStorage]) -> dict[str, int]:
    """Bytes that engines keep for many dicts together, by the name of the engine's class."""
    sizes: dict[str, int] = {}
    asked = set()
    for engine in (engine for storage in storages for engine in engines_of(storage)):
        if engine.group() in asked:
            continue
        asked.add(engine.group())
        size = _ask(engine, engine.shared_size)
        if size is not None:
            kind = type(engine).__name__
            sizes[kind] = sizes.get(kind, 0) + size
    return sizes


def engines_of(storage: MoobiusStorage) -> list[DatabaseInterface]:
    """The engine of each dict, those of `system` included."""
    return [state.engine for state in storage._states]


def _ask(engine: DatabaseInterface, question: Callable[[], int | None]) -> int | None:
    if engine.problem is not None:
        return None  # each engine of a server that is away would wait for it anew
    try:
        return question()
    except (StorageError, OSError):
        return None

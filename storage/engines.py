"""Which engine a config means. Its module is imported only when a config names it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from storage.database_interface import DatabaseInterface
from storage.errors import StorageError


@dataclass(frozen=True)
class Engine:
    """One engine as configs may name it; the words are those of the Moobius SDK, in any case."""

    name: str
    words: tuple[str, ...]
    module: str
    class_name: str
    extra: str = ""
    """The optional dependency of our distribution that the engine needs, and of the same name the package."""

    def load(self) -> type[DatabaseInterface]:
        """Raises StorageError with the way out if a package is missing."""
        try:
            found: type[DatabaseInterface] = getattr(import_module(self.module), self.class_name)
        except ModuleNotFoundError as error:
            if not self.extra or error.name != self.extra:
                raise
            raise StorageError(f"the package {self.extra} is not installed; pip install 'mooring[{self.extra}]'") from error
        return found


ENGINES = (
    Engine("json", ("json", "JSONdb", "JSONDatabase"), "storage.json.database", "JSONDatabase"),
    Engine("redis", ("redis", "RedisDB", "RedisDatabase"), "storage.redis.database", "RedisDatabase", extra="redis"),
    Engine("null", ("null", "None", "NullDB", "NullDatabase"), "storage.null.database", "NullDatabase"),
)


def find_engine(word: str) -> Engine | None:
    wanted = word.strip().lower()
    return next((engine for engine in ENGINES if wanted in {each.lower() for each in engine.words}), None)


def engine_class(word: str) -> type[DatabaseInterface]:
    """The class of the engine that is called so. Raises StorageError."""
    engine = find_engine(word)
    if engine is None:
        raise StorageError(f'there is no engine "{word}"; {nearest_engine(word)}')
    return engine.load()


def nearest_engine(word: str) -> str:
    """What to tell somebody who named an engine that there is not."""
    by_lower = {each.lower(): engine.name for engine in ENGINES for each in engine.words}
    hint = suggestion(word.strip().lower(), by_lower, by_lower)
    return f"{hint} " * bool(hint) + f"the engines are {', '.join(engine.name for engine in ENGINES)}"


def suggestion(word: str, valid: Iterable[str], meant: dict[str, str] | None = None) -> str:
    """`did you mean ...?` for the nearest valid word, or nothing."""
    match = difflib.get_close_matches(word[:200], list(valid), n=1, cutoff=0.55)
    return f'did you mean "{meant[match[0]] if meant else match[0]}"?' if match else ""

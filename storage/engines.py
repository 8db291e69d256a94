"""Which engine a config means. Its module is imported only when a config names it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from storage.database_interface import DatabaseInterface
from storage.errors import StorageError
from storage.nearest_word import nearest_word


@dataclass(frozen=True)
class EngineEntry:
    """One engine as configs may name it; the words are those of the Moobius SDK, in any case."""

    name: str
    words: tuple[str, ...]
    module: str
    class_name: str
    extra: str = ""
    """The optional dependency of our distribution that the engine needs."""
    packages: tuple[str, ...] = ()
    """What is in it."""

    def load(self) -> type[DatabaseInterface]:
        """Raises StorageError with the way out if a package is missing."""
        try:
            found: type[DatabaseInterface] = getattr(import_module(self.module), self.class_name)
        except ModuleNotFoundError as error:
            if error.name not in self.packages:
                raise
            raise StorageError(f"the package {error.name} is not installed; pip install 'mooring[{self.extra}]'") from error
        return found


ENGINES = (
    EngineEntry("json", ("json", "JSONdb", "JSONDatabase"), "storage.json.database", "JSONDatabase"),
    EngineEntry(
        "redis",
        ("redis", "redi", "RedisDB", "ready", "RedisDatabase", "The Linux one"),
        "storage.redis.database",
        "RedisDatabase",
        extra="redis",
        packages=("redis", "msgpack"),
    ),
    EngineEntry("null", ("null", "None", "False", "NullDB", "NullDatabase"), "storage.null.database", "NullDatabase"),
)


def find_engine(word: str) -> EngineEntry | None:
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
    names = {each: engine.name for engine in ENGINES for each in engine.words}
    match = nearest_word(word.strip(), names)
    hint = f'did you mean "{names[match]}"? ' if match is not None else ""
    return f"{hint}the engines are {', '.join(engine.name for engine in ENGINES)}"

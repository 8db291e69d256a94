"""Where the data of a db config is, for those who want to be sure that it is the place they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.engines import find_engine


@dataclass(frozen=True)
class DataPlace:
    """A folder or a server; `is_new` is None where only opening it would tell."""

    name: str
    is_new: bool | None = None

    def __str__(self) -> str:
        return f"{self.name} (new)" if self.is_new else self.name


def data_places(entries: Iterable[Mapping[str, Any]]) -> list[DataPlace]:
    """Each place once. Nothing is opened or made. Raises StorageError for settings of Redis that cannot work."""
    return list(dict.fromkeys(place for entry in entries if (place := _place(entry["implementation"], entry["settings"])) is not None))


def _place(word: str, settings: Mapping[str, Any]) -> DataPlace | None:
    engine = find_engine(word)
    if engine is None or engine.name == "null":
        return None
    if engine.name == "json":
        root = Path(settings.get("root_dir", "")).resolve()
        return DataPlace(str(root), not any(any(root.glob(kept)) for kept in ("journal/*", "*/*/*.json")))
    from storage.redis.address import read_settings  # here, as the engine's packages are optional

    return DataPlace(f"Redis at {read_settings(settings).name}")

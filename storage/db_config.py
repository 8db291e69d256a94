"""The config that says which dict lives in which engine: its model, its loading, and what is wrong with it in plain words."""

from __future__ import annotations

import keyword
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from storage.domains import is_store_name
from storage.engine_settings import SETTINGS, UnsetVariable, expanded, unknown_settings
from storage.engines import find_engine, nearest_engine
from storage.errors import ConfigError, Fault, StorageError
from storage.json_config import read_json
from storage.json_words import EXPECTED, quoted
from storage.nearest_word import suggestion

DbConfig = Sequence[Mapping[str, Any]] | Mapping[str, Any] | str | os.PathLike[str]
"""A list of entries, one entry, or the name of a JSON file that holds either."""

_SECRETS = frozenset({"password", "sentinel_password", "url"})
"""Settings whose values are never shown; a URL may hold a password."""

_PROMISES = {"json": ("durability", "retention_days", "retention_bytes"), "redis": ("acknowledge", "acknowledge_replicas")}
"""The settings that all dicts in one place share, by engine."""

_PLACES = {"json": "in the same root_dir", "redis": "on the same Redis"}
_EXAMPLE = '[{"implementation": "json", "name": "health_bars", "settings": {"root_dir": "json_db"}}]'


class DictConfig(BaseModel):
    """One dict of each channel; or, by the name `PLUGIN.STORE` or `*`, where one or all of those are kept that plugins declare in code."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    implementation: str
    name: str
    load: bool = True
    clear: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_for_stores(self) -> bool:
        """Whether it names no dict itself."""
        return is_for_stores(self.name)


def read_config(config: DbConfig, taken: Collection[str]) -> list[DictConfig]:
    """The checked entries. `taken` are the names that no dict may have.

    Raises ConfigError with every fault of the whole config.
    """
    file = ""
    if isinstance(config, str | os.PathLike):
        file = os.fspath(config)
        config = read_json(file, _EXAMPLE)
    if isinstance(config, Mapping):
        config = [config] if config else []  # the SDK's own template for no dicts is an empty object
    if not isinstance(config, list | tuple):
        problem = f"the config is {quoted(config)}, expected a list of entries"
        raise ConfigError([Fault(file, "", "", problem, f"write it like {_EXAMPLE}")])
    faults: list[Fault] = []
    entries: list[DictConfig] = []
    for place, raw in enumerate(config, 1):
        label = _label(place, raw)
        try:
            entry = DictConfig.model_validate(raw)
            entry = entry.model_copy(update={"settings": expanded(entry.settings)})
        except UnsetVariable as error:
            faults.append(Fault(file, label, f"settings.{error.setting}", str(error), "set it, or write the path out"))
        except ValidationError as error:
            faults += _faults_of(error, file, label, DictConfig)
            faults += _word_faults(file, label, raw, taken)
        else:
            faults += _word_faults(file, label, entry.model_dump(), taken)
            entries.append(entry)
    faults += _duplicates(file, config)
    faults += _different_promises(file, entries)
    if faults:
        raise ConfigError(faults)
    return entries


def is_for_stores(name: str) -> bool:
    """Whether an entry of this name is about dicts that plugins declare in code."""
    return name == "*" or is_store_name(name)


def name_problem(name: str, taken: Collection[str]) -> tuple[str, str] | None:
    """Why a dict cannot have this name, and what to do, or None if it can."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{quoted(name)} cannot be an attribute", "use letters, digits and underscores, begin with a letter, and avoid Python's own words"
    if name.startswith("_"):
        return f"{quoted(name)} begins with an underscore", "such names are for internal use; begin with a letter"
    if name in taken:
        return f"{quoted(name)} is taken by the storage itself", f'choose another name, like "{name}_dict"'
    return None


def _label(place: int, raw: object) -> str:
    name = raw.get("name") if isinstance(raw, Mapping) else None
    return f"entry {place} ({name})" if isinstance(name, str) and name else f"entry {place}"


def _word_faults(file: str, label: str, raw: Any, taken: Collection[str]) -> Iterator[Fault]:
    """What the types alone do not tell; of an entry with wrong types, the parts that can be judged are."""
    if not isinstance(raw, Mapping):
        return
    name, word, settings = (raw.get(field) for field in ("name", "implementation", "settings"))
    problem = name_problem(name, taken) if isinstance(name, str) and not is_for_stores(name) else None
    if problem is not None:
        yield Fault(file, label, "name", *problem)
    if not isinstance(word, str):
        return
    engine = find_engine(word)
    if engine is None:
        yield Fault(file, label, "implementation", f"there is no engine {quoted(word)}", nearest_engine(word))
        return
    try:
        engine.load()
    except StorageError as error:
        yield Fault(file, label, "implementation", f"{quoted(word)} cannot be used", str(error))
    if not isinstance(settings, Mapping):
        return
    if engine.name in SETTINGS:
        try:
            SETTINGS[engine.name].model_validate(settings)
        except ValidationError as error:
            yield from _faults_of(error, file, label, SETTINGS[engine.name], "settings.")
    for setting, remedy in unknown_settings(engine.name, settings):
        yield Fault(file, label, f"settings.{setting}", "there is no such setting, of any engine", remedy)


def _duplicates(file: str, config: Sequence[Any]) -> Iterator[Fault]:
    names = [raw.get("name") if isinstance(raw, Mapping) else None for raw in config]
    for name, count in Counter(name for name in names if isinstance(name, str)).items():
        if count > 1:
            places = " and ".join(str(place) for place, each in enumerate(names, 1) if each == name)
            yield Fault(file, f"entries {places}", "name", f"{quoted(name)} stands {count} times", "each dict needs a name of its own")


def _different_promises(file: str, entries: Sequence[DictConfig]) -> Iterator[Fault]:
    """Dicts in one place are committed together, so what an acknowledgement means has to be the same for all of them."""
    promised: dict[str, tuple[str, list[Any]]] = {}
    for entry in entries:
        engine = find_engine(entry.implementation)
        if engine is None or engine.name not in _PROMISES:
            continue
        names = _PROMISES[engine.name]
        promise = [entry.settings.get(name, SETTINGS[engine.name].model_fields[name].default) for name in names]
        first, other = promised.setdefault(_place(engine.name, entry.settings), (entry.name, promise))
        if promise != other:
            differs = next(name for name, one, another in zip(names, promise, other, strict=True) if one != another)
            remedy = f"give all that are {_PLACES[engine.name]} the same {differs}"
            yield Fault(file, entry.name, f"settings.{differs}", f"differs from that of {first}, which is {_PLACES[engine.name]}", remedy)


def _place(engine: str, settings: Mapping[str, Any]) -> str:
    """Where the data is; each setting may be of any type still."""
    if engine == "json":
        root = settings.get("root_dir", "")
        return os.path.realpath(root) if isinstance(root, str) and "\0" not in root else repr(root)
    return repr([settings.get(name) for name in ("url", "url_env", "host", "port", "db")])


def _faults_of(error: ValidationError, file: str, label: str, model: type[BaseModel], prefix: str = "") -> Iterator[Fault]:
    for detail in error.errors(include_url=False):
        field = ".".join(str(part) for part in detail["loc"])
        yield Fault(file, label, prefix + field if field else "", *_in_words(detail, field, model))


def _in_words(detail: ErrorDetails, field: str, model: type[BaseModel]) -> tuple[str, str]:
    if detail["type"] == "extra_forbidden":
        return "there is no such field", suggestion(field, model.model_fields) or f"the fields are {', '.join(model.model_fields)}"
    if detail["type"] == "missing":
        return "is missing", f"add it, like in {_EXAMPLE}"
    expected = EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("Input should be ")
    shown = "the value" if field in _SECRETS else quoted(detail["input"])
    return f"{shown} does not fit", f"expected {expected}"

"""The config that says which dict lives in which engine: its model, its loading, and what is wrong with it in plain words."""

from __future__ import annotations

import json
import keyword
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from storage.domains import is_store_name
from storage.engines import find_engine, nearest_engine
from storage.errors import ConfigError, Fault, StorageError
from storage.json_config import read_json
from storage.nearest_word import suggestion

DbConfig = Sequence[Mapping[str, Any]] | Mapping[str, Any] | str | os.PathLike[str]
"""A list of entries, one entry, or the name of a JSON file that holds either."""

_SECRETS = frozenset({"password", "sentinel_password", "url"})
"""Settings whose values are never shown; a URL may hold a password."""

_EXAMPLE = '[{"implementation": "json", "name": "health_bars", "settings": {"root_dir": "json_db"}}]'
_LONGEST_QUOTE = 60
_log = logging.getLogger(__name__)


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


class _EngineSettings(BaseModel):
    """Only known settings are checked: the same settings may be given to an engine that has no use for some of them."""

    model_config = ConfigDict(extra="allow", strict=True)


class _JsonSettings(_EngineSettings):
    root_dir: str = ""
    durability: Literal["commit", "always", "never"] = "commit"


class _RedisSettings(_EngineSettings):
    host: str = Field("localhost", min_length=1)
    port: int = Field(6379, ge=1, le=65535)
    db: int = Field(0, ge=0)
    url: str | None = None
    url_env: str | None = None
    username: str | None = None
    username_env: str | None = None
    password: str | None = None
    password_env: str | None = None
    sentinel_password: str | None = None
    sentinel_password_env: str | None = None
    tls: bool | None = None
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    connect_timeout: float = Field(5.0, gt=0)
    timeout: float = Field(5.0, gt=0)
    stream_length: int | None = Field(None, ge=1)
    stream_bytes: int | None = Field(None, ge=1)
    acknowledge: Literal["primary", "replicated"] = "primary"
    acknowledge_replicas: int | None = Field(None, ge=1)
    acknowledge_timeout: float | None = Field(None, gt=0)


_SETTINGS: dict[str, type[_EngineSettings]] = {"json": _JsonSettings, "redis": _RedisSettings}

_EXPECTED = {
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "dict_type": "an object in braces",
    "model_type": "an object in braces",
    "model_attributes_type": "an object in braces",
}


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
        problem = f"the config is {_quote(config)}, expected a list of entries"
        raise ConfigError([Fault(file, "", "", problem, f"write it like {_EXAMPLE}")])
    faults: list[Fault] = []
    entries: list[DictConfig] = []
    for place, raw in enumerate(config, 1):
        label = _label(place, raw)
        try:
            entry = DictConfig.model_validate(raw)
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
    for entry in entries:
        _warn_of_misspelt_settings(entry)
    return entries


def is_for_stores(name: str) -> bool:
    """Whether an entry of this name is about dicts that plugins declare in code."""
    return name == "*" or is_store_name(name)


def name_problem(name: str, taken: Collection[str]) -> tuple[str, str] | None:
    """Why a dict cannot have this name, and what to do, or None if it can."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{_quote(name)} cannot be an attribute", "use letters, digits and underscores, begin with a letter, and avoid Python's own words"
    if name.startswith("_"):
        return f"{_quote(name)} begins with an underscore", "such names are for internal use; begin with a letter"
    if name in taken:
        return f"{_quote(name)} is taken by the storage itself", f'choose another name, like "{name}_dict"'
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
        yield Fault(file, label, "implementation", f"there is no engine {_quote(word)}", nearest_engine(word))
        return
    try:
        engine.load()
    except StorageError as error:
        yield Fault(file, label, "implementation", f"{_quote(word)} cannot be used", str(error))
    if engine.name in _SETTINGS and isinstance(settings, Mapping):
        try:
            _SETTINGS[engine.name].model_validate(settings)
        except ValidationError as error:
            yield from _faults_of(error, file, label, _SETTINGS[engine.name], "settings.")


def _warn_of_misspelt_settings(entry: DictConfig) -> None:
    """Engines ignore settings that they do not know, so a misspelt one would silently leave the default in force."""
    engine = find_engine(entry.implementation)
    known = _SETTINGS[engine.name].model_fields if engine is not None and engine.name in _SETTINGS else {}
    for setting in entry.settings.keys() - known.keys():
        hint = suggestion(setting, known)
        if hint:
            _log.warning("%s: the setting %s is unknown and will be ignored; %s", entry.name, setting, hint)


def _duplicates(file: str, config: Sequence[Any]) -> Iterator[Fault]:
    names = [raw.get("name") if isinstance(raw, Mapping) else None for raw in config]
    for name, count in Counter(name for name in names if isinstance(name, str)).items():
        if count > 1:
            places = " and ".join(str(place) for place, each in enumerate(names, 1) if each == name)
            yield Fault(file, f"entries {places}", "name", f"{_quote(name)} stands {count} times", "each dict needs a name of its own")


def _different_promises(file: str, entries: Sequence[DictConfig]) -> Iterator[Fault]:
    """Dicts on one Redis are committed together, so what an acknowledgement means has to be the same for all of them."""
    promised: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for entry in entries:
        engine = find_engine(entry.implementation)
        if engine is None or engine.name != "redis":
            continue
        where = repr([entry.settings.get(name) for name in ("url", "url_env", "host", "port", "db")])  # each may be of any type still
        promise = tuple(entry.settings.get(name) for name in ("acknowledge", "acknowledge_replicas"))
        first, other = promised.setdefault(where, (entry.name, promise))
        if promise != other:
            problem = f"differs from that of {first}, which is on the same Redis"
            remedy = "give all dicts of one Redis the same acknowledge and acknowledge_replicas"
            yield Fault(file, entry.name, "settings.acknowledge", problem, remedy)


def _faults_of(error: ValidationError, file: str, label: str, model: type[BaseModel], prefix: str = "") -> Iterator[Fault]:
    for detail in error.errors(include_url=False):
        field = ".".join(str(part) for part in detail["loc"])
        yield Fault(file, label, prefix + field if field else "", *_in_words(detail, field, model))


def _in_words(detail: ErrorDetails, field: str, model: type[BaseModel]) -> tuple[str, str]:
    if detail["type"] == "extra_forbidden":
        return "there is no such field", suggestion(field, model.model_fields) or f"the fields are {', '.join(model.model_fields)}"
    if detail["type"] == "missing":
        return "is missing", f"add it, like in {_EXAMPLE}"
    expected = _EXPECTED.get(detail["type"]) or detail["msg"].removeprefix("Input should be ")
    shown = "the value" if field in _SECRETS else _quote(detail["input"])
    return f"{shown} does not fit", f"expected {expected}"


def _quote(value: object) -> str:
    try:
        shown = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        shown = f"a value of type {type(value).__name__}"
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 1] + "…"

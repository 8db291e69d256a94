"""Settings of `service.json` from the environment: `MOORING__LIMITS__QUEUE_LENGTH` is `queue_length` of `limits`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from mooring.config import ServiceConfig
from mooring.config_faults import faults_of
from storage.errors import ConfigError, Fault
from storage.nearest_word import suggestion

_PREFIX, _DELIMITER = "MOORING__", "__"
_SOURCE = "environment"


class _Variables(ServiceConfig, BaseSettings):
    """What may be given, as the source of pydantic-settings wants to know it."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)


def with_environment(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The config with what the environment says laid over it; lists and dicts of free names are given as JSON, and replace the whole.

    Raises ConfigError, which names the environment, if what it says does not fit.
    """
    given = _given()
    return _merged(raw, given) if given else dict(raw)


def _given() -> dict[str, Any]:
    unknown = [name for name in os.environ if name.upper().startswith(_PREFIX) and _first_part(name) not in ServiceConfig.model_fields]
    if unknown:
        raise ConfigError([Fault(_SOURCE, "", name, "there is no such setting", _remedy(name)) for name in sorted(unknown)])
    try:
        given = EnvSettingsSource(_Variables, env_prefix=_PREFIX, env_nested_delimiter=_DELIMITER)()
    except SettingsError as error:
        raise ConfigError([Fault(_SOURCE, "", _PREFIX + "...", f"{error}", "write a list or an object as JSON")]) from error
    try:
        ServiceConfig.model_validate(given)
    except ValidationError as error:
        raise ConfigError(list(faults_of(error, _SOURCE, ServiceConfig))) from error
    return given


def _first_part(variable: str) -> str:
    return variable[len(_PREFIX) :].lower().partition(_DELIMITER)[0]


def _remedy(variable: str) -> str:
    return suggestion(_first_part(variable), ServiceConfig.model_fields) or f"known are {', '.join(ServiceConfig.model_fields)}"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, value in above.items():
        under = result.get(name)
        result[name] = _merged(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return result

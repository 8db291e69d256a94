"""What each engine can be told by a config, which paths of it are expanded, and what no engine knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from storage.expansion import UnknownVariable, expand
from storage.nearest_word import suggestion

_FILES = ("root_dir", "tls_ca_file", "tls_cert_file", "tls_key_file")


class UnsetVariable(UnknownVariable):
    """A setting names an environment variable that is not set."""

    def __init__(self, setting: str, variable: str) -> None:
        super().__init__(variable)
        self.setting = setting


class EngineSettings(BaseModel):
    """Only known settings are checked: the same settings may be given to an engine that has no use for some of them."""

    model_config = ConfigDict(extra="allow", strict=True)


class JsonSettings(EngineSettings):
    root_dir: str = ""
    durability: Literal["commit", "always", "never"] = "commit"
    checkpoint_bytes: int | None = Field(None, ge=1)
    retention_days: float = Field(30.0, ge=0)
    retention_bytes: int = Field(1_000_000_000, ge=0)


class RedisSettings(EngineSettings):
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


SETTINGS: dict[str, type[EngineSettings]] = {"json": JsonSettings, "redis": RedisSettings}


def unknown_settings(engine: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that no engine knows, each with a remedy. Those of another engine may stand: the documented example has one."""
    if engine not in SETTINGS and engine != "null":
        return
    own = SETTINGS[engine].model_fields if engine in SETTINGS else {}
    known = {name: None for model in SETTINGS.values() for name in model.model_fields}
    for setting in settings:
        if setting not in known:
            yield setting, suggestion(setting, known) or f"leave it out; known are {', '.join(own or known)}"


def expanded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with `~` and variables in paths replaced. Raises UnsetVariable."""
    result = dict(settings)
    for name in _FILES:
        if isinstance(result.get(name), str):
            try:
                result[name] = expand(result[name])
            except UnknownVariable as error:
                raise UnsetVariable(name, error.variable) from error
    return result

"""Where a Redis is and how to get in: from the settings of a config, with secrets from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from storage.errors import StorageError

_PORTS = {"redis": 6379, "rediss": 6379, "redis+cluster": 6379, "rediss+cluster": 6379, "redis+sentinel": 26379, "rediss+sentinel": 26379}

_SECRET = ("url", "username", "password", "sentinel_password")
_REPLICATION = ("acknowledge", "acknowledge_replicas", "acknowledge_timeout")
_PLAIN = ("tls", "tls_ca_file", "tls_cert_file", "tls_key_file", "connect_timeout", "timeout", "stream_length", "stream_bytes", *_REPLICATION)
_COMMON = ("connect_timeout", "timeout", "stream_length", "stream_bytes", "sentinel_password")
SETTINGS = frozenset({*_PLAIN, *_SECRET, *(f"{name}_env" for name in _SECRET)})
"""What `read_settings` has a use for, beside host, port and db."""


@dataclass(frozen=True)
class Tls:
    """How the server proves who it is, and we to the server; empty names leave it to the system's certificates."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""


@dataclass(frozen=True)
class RedisAddress:
    """Where the server is and who asks; equal addresses share one client.

    `hosts` are the nodes to begin with: one server, some of a cluster's, or the sentinels that know where `service` is.
    """

    hosts: tuple[tuple[str, int], ...]
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    kind: str = "server"
    """`server`, `cluster`, `sentinel` or `unix`."""
    service: str = ""
    """The name by which the sentinels know the primary; for `unix` the path of the socket."""
    tls: Tls | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 5.0
    timeout: float = 5.0
    stream_length: int = 1000
    """Commits that stay in the stream of each channel, at least. Who falls further behind loads the dicts anew."""
    stream_bytes: int = 8_000_000
    """What they may take in all, if that is less."""

    replicas: int = 0
    """How many replicas must have a commit before it is acknowledged."""
    replicas_timeout: float = 1.0
    """Seconds that they are waited for."""

    @property
    def name(self) -> str:
        """For messages: without the password."""
        if self.kind == "unix":
            return self.service
        places = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{self.service} of {places}" if self.service else places

    def without_secrets(self, text: str) -> str:
        """The text with the passwords blacked out."""
        for secret in (self.password, self.sentinel_password):
            if secret:
                text = text.replace(secret, "***")
        return text


def read_settings(settings: Mapping[str, Any]) -> RedisAddress:
    """The address that the settings mean. Raises StorageError for settings that cannot work."""
    values = {name: value for name, value in settings.items() if value is not None}
    for name in _SECRET:
        if f"{name}_env" in values:
            values[name] = _from_environment(f"{name}_env", values[f"{name}_env"])
    common: dict[str, Any] = {name: values[name] for name in _COMMON if name in values} | _replication(values)
    tls = Tls(values.get("tls_ca_file", ""), values.get("tls_cert_file", ""), values.get("tls_key_file", "")) if values.get("tls") else None
    if "url" not in values:
        hosts = ((values.get("host", "localhost"), values.get("port", 6379)),)
        return RedisAddress(hosts, values.get("db", 0), values.get("username"), values.get("password"), tls=tls, **common)
    return _read_url(values["url"], values, tls, common)


def _replication(values: Mapping[str, Any]) -> dict[str, Any]:
    mode, timeout = values.get("acknowledge", "primary"), values.get("timeout", RedisAddress.timeout)
    if mode not in {"primary", "replicated"}:
        raise StorageError(f'acknowledge is {mode!r}; it is "primary" or "replicated"')
    if mode == "primary":
        idle = [name for name in _REPLICATION if name in values and name != "acknowledge"]
        if idle:
            raise StorageError(f'{idle[0]} is of use with "acknowledge": "replicated" alone; set that, or leave it out')
        return {}
    replicas, patience = values.get("acknowledge_replicas", 1), values.get("acknowledge_timeout", min(1.0, timeout / 2))
    if replicas < 1:
        raise StorageError(f"acknowledge_replicas is {replicas}; at least one replica has to be waited for")
    if not 0.001 <= patience < timeout:
        raise StorageError(f"acknowledge_timeout is {patience} seconds; it has to be more than none and less than timeout, which is {timeout}")
    return {"replicas": replicas, "replicas_timeout": patience}


def _read_url(url: str, values: Mapping[str, Any], tls: Tls | None, common: dict[str, Any]) -> RedisAddress:
    """`redis://`, `rediss://`, `unix://`, `redis+cluster://a,b,c` and `redis+sentinel://a,b,c/name`, with user and password as usual."""
    try:
        parts = urlsplit(url)
    except ValueError:  # not chained: its text may quote the password
        raise StorageError(f"{_shown(url)} is no address of a Redis: what stands for the host cannot be read") from None
    login, _, places = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    who = (values.get("username") or unquote(username) or None, values.get("password") or unquote(password) or None)
    query = {name: found[-1] for name, found in parse_qs(parts.query).items()}
    if parts.scheme == "unix":
        return RedisAddress((), _number(query.get("db", "0"), url), *who, kind="unix", service=parts.path, tls=None, **common)
    if parts.scheme not in _PORTS:
        raise StorageError(f"{_shown(url)} is no address of a Redis; the schemes are {', '.join(_PORTS)} and unix")
    hosts = tuple(_place(place, _PORTS[parts.scheme], url) for place in places.split(",") if place)
    path = [part for part in parts.path.split("/") if part]
    if parts.scheme.startswith("rediss") and tls is None:
        tls = Tls(values.get("tls_ca_file", ""), values.get("tls_cert_file", ""), values.get("tls_key_file", ""))
    kind = parts.scheme.partition("+")[2] or "server"
    service = path.pop(0) if kind == "sentinel" and path else ""
    if not hosts or (kind == "sentinel" and not service) or (kind == "cluster" and path):
        wanted = "sentinels and the name of the primary, like redis+sentinel://a:26379,b:26379/mymaster" if kind == "sentinel" else "a host"
        raise StorageError(f"{_shown(url)} is not complete: expected {wanted}")
    db = _number(path[0] if path else query.get("db", "0"), url)
    return RedisAddress(hosts, db, *who, kind=kind, service=service, tls=tls, **common)


def _place(place: str, port: int, url: str) -> tuple[str, int]:
    host, colon, given = place.rpartition(":")
    if not colon or given.endswith("]"):
        return place.strip("[]"), port
    return host.strip("[]"), _number(given, url)


def _number(text: str, url: str) -> int:
    if not text.isdecimal():
        raise StorageError(f"{_shown(url)} has something else where a port or a database number belongs; write a password in it %-encoded")
    return int(text)


def _shown(url: str) -> str:
    """What may be shown of a URL that may hold a password, wherever a slip of the pen has put it: a known scheme, and what comes after the last @."""
    scheme, is_given, rest = url.partition("://")
    known = f"{scheme}://" if is_given and scheme in {*_PORTS, "unix", "http", "https"} else ""
    _, at, place = url.rpartition("@")
    if at:
        return f"{known}***@{place}"
    host = re.match(r"[A-Za-z0-9.-]+", rest) if known else None
    return f"{known}{host[0]}" if host else f"{known}..." if known else "the url of a Redis"


def _from_environment(setting: str, name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise StorageError(f"{setting} names the environment variable {name}, which is not set") from error

"""RedisDatabase: each domain is one Redis hash, and all hashes of a channel live in one cluster slot."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import msgspec

from storage import codec
from storage.codec import Encoded
from storage.database_interface import DatabaseInterface, DomainChanges, Finding, Origin
from storage.engine_manners import key_refusal, missing, report_unused
from storage.errors import CommitFailed, StorageError, StorageUnavailable, StoreClosed, UnreadableValue
from storage.redis_client import ClientRegistry, RedisAddress

_CLIENTS = ClientRegistry()
_CHANNEL_DOMAIN = re.compile(r"(service_[^.]*\.channel_[^.]*)\.([^.]*)", re.DOTALL)
_CLASHING = {"~": "~~", "{": "~(", "}": "~)", "$": "~$"}
"""Characters that mean something in our Redis keys: braces mark the part that decides the slot, `$` our own bookkeeping."""

_check_json = msgspec.json.Decoder(msgspec.Raw).decode


class RedisDatabase(DatabaseInterface):
    """Keeps a domain in Redis or Valkey, with one commit per script and one request per load.

    The constructor does not connect. While the server is away, the methods that answer say so, and those that cannot
    (`all_keys`, `load_all`, `commit_batch`) raise StorageUnavailable; all work again as soon as it is back. How safe a commit
    is against power loss is the server's configuration. The password may be given by the name of an environment variable
    (`password_env`) instead; `connect_timeout` and `timeout` are in seconds. Raises StorageError for settings that cannot work.
    """

    def __init__(  # noqa: PLR0917  the published order of arguments
        self,
        domain: str = "",
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        *,
        password_env: str | None = None,
        connect_timeout: float = 5.0,
        timeout: float = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(domain)
        if password_env is not None:
            password = _from_environment(password_env)
        address = RedisAddress(host, port, db, username, password, connect_timeout, timeout)
        self._client, release = _CLIENTS.acquire(address)
        self._release = weakref.finalize(self, release)
        prefix, name = redis_key(domain)
        self._hash = prefix + name
        self._group = ("redis", host, port, db, username, prefix)
        self._channel = self._client.channel(prefix)
        self._shared = self._client.domain(domain)
        self._shared.join(self)
        report_unused(self, settings)

    def get_value(self, key: str) -> tuple[bool, Any]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            encoded = self._read("HGET", _field(key))
            return (False, missing(key)) if encoded is None else (True, codec.decode(encoded))
        except StorageError as error:
            return False, str(error)

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            self._commit([DomainChanges(self, [(key, codec.encode(value))])])
        except StorageError as error:
            return False, str(error)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            removed = self._commit([DomainChanges(self, [(key, None)])])
        except StorageError as error:
            return False, str(error)
        return (True, key) if removed else (False, missing(key))

    def all_keys(self) -> Iterable[str]:
        return [key for key in map(self._key, self._read("HKEYS")) if key is not None]

    def group(self) -> Hashable:
        return self._group

    def load_one(self, key: str) -> Encoded | None:
        encoded: bytes | None = self._read("HGET", _field(key))
        if encoded is not None:
            _check_text(encoded)
        return encoded

    def load_all(self) -> dict[str, Encoded]:
        loaded: dict[str, Encoded] = {}
        for field, encoded in self._read("HGETALL").items():
            key = self._key(field)
            if key is None:
                continue
            try:
                _check_text(encoded)
            except UnreadableValue as error:
                self._set_aside(key, str(error))
            else:
                loaded[key] = encoded
        return loaded

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        self._commit(batch)

    def close(self) -> None:
        self._release()

    def _read(self, command: str, *arguments: bytes) -> Any:
        self._check_open()
        self._channel.settle()
        return self._client.call(command, self._hash, *arguments)

    def _commit(self, batch: Sequence[DomainChanges]) -> int:
        self._check_open()
        changes: dict[bytes, dict[bytes, Encoded | None]] = {}
        engines = []
        for part in batch:
            if not isinstance(part.engine, RedisDatabase):
                raise CommitFailed(f"{part.engine!r} is no Redis engine; nothing was changed")
            engines.append(part.engine)
            # Only the last change of a key counts: within one script nobody sees the others.
            changes.setdefault(part.engine._hash, {}).update((_field(key), encoded) for key, encoded in part.changes)
        try:
            committed = self._channel.commit(changes)
        except StorageUnavailable:
            # It may have been applied without our knowing; whoever keeps a copy has to look again.
            _announce(engines)
            raise
        _announce(engines)
        return committed.removed

    def _check_open(self) -> None:
        if not self._release.alive:
            raise StoreClosed(f"{self!r} is closed")

    def _key(self, field: bytes) -> str | None:
        try:
            return field.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            self._set_aside(None, f"the field {field!r} is no key: {error}")
            return None

    def _set_aside(self, key: str | None, reason: str) -> None:
        # What cannot be read stays where it is: Redis is the operator's to repair, and the other keys do not depend on it.
        where = f"Redis key {self._hash.decode(errors='backslashreplace')}"
        finding = Finding("quarantined", self.domain, key, where, reason)
        if finding not in self.report:
            self.report.append(finding)


def redis_key(domain: str) -> tuple[bytes, bytes]:
    """The two parts of the Redis key of a domain; all domains of a channel share the first, and with it the cluster slot."""
    shaped = _CHANNEL_DOMAIN.fullmatch(domain)
    slot, name = (shaped[1], ":" + _escaped(shaped[2])) if shaped else (domain, "")
    prefix = f"mooring:{{{_escaped(slot) or '~'}}}"  # Redis ignores empty braces
    return prefix.encode("utf-8", "surrogatepass"), name.encode("utf-8", "surrogatepass")


def _escaped(text: str) -> str:
    return "".join(_CLASHING.get(character, character) for character in text)


def _field(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _check_text(encoded: bytes) -> None:
    try:
        _check_json(encoded)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableValue(f"the value is no JSON: {error}") from error


def _announce(engines: Iterable[RedisDatabase]) -> None:
    for shared in {engine._shared for engine in engines}:
        shared.changed()


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError as error:
        raise StorageError(f"password_env names the environment variable {name}, which is not set") from error

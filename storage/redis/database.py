"""RedisDatabase: each domain is one Redis hash, and all hashes of a channel live in one cluster slot."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, ClassVar

import msgspec

from storage.database_interface import DatabaseInterface, DomainChanges, Finding, News, Origin
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.engine_support.messages import key_refusal, missing, report_unused
from storage.engine_support.shared_instances import SharedInstances
from storage.errors import CommitFailed, StorageError, StorageUnavailable, StoreClosed, UnreadableValue
from storage.outcome import Outcome
from storage.redis.address import SETTINGS, RedisAddress, read_settings
from storage.redis.channel import RedisChannel
from storage.redis.client import RedisClient
from storage.redis.commit import Commit, refuse_too_many
from storage.redis.committer import commit_now
from storage.redis.keys import field_of, key_of, redis_key
from storage.redis.resync import catch_up
from storage.redis.scripts import PROBE

_CLIENTS: SharedInstances[RedisAddress, RedisClient] = SharedInstances()
"""One client per server, login and process."""
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


class RedisDatabase(DatabaseInterface):
    """Keeps a domain in Redis or Valkey, with one commit per script and one request per load.

    The constructor does not connect. While the server is away, the methods that answer say so, and those that cannot
    (`all_keys`, `load_all`, `commit_batch`) raise StorageUnavailable; all work again as soon as it is back. How safe a commit
    is against power loss is the server's configuration.

    The settings beside host and port: `url` (`redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://`), `tls`
    with `tls_ca_file`, `tls_cert_file` and `tls_key_file`, `connect_timeout` and `timeout` in seconds, `stream_length` and `stream_bytes`.
    With `acknowledge="replicated"` a commit returns when `acknowledge_replicas` (1) replicas have it, and raises OutcomeUnknown if they have
    not within `acknowledge_timeout` (1.0) seconds. Url, username and password may be given by the name of an environment variable
    (`url_env`, `username_env`, `password_env`). Raises
    StorageError for settings that cannot work.
    """

    announces: ClassVar[bool] = True
    overlaps: ClassVar[bool] = True
    closes_by_finalizer: ClassVar[bool] = True

    def __init__(  # noqa: PLR0917  the published order of arguments
        self,
        domain: str = "",
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        username: str | None = None,
        password: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(domain)
        address = read_settings({"host": host, "port": port, "db": db, "username": username, "password": password, **settings})
        self._client, release = _CLIENTS.acquire(address, partial(RedisClient, address))
        self._release = weakref.finalize(self, release)
        prefix, self._name = redis_key(domain)
        self._hash = prefix + self._name
        self._channel = self._client.channel(prefix)
        server = ("redis", address.name, address.db, address.username)
        self._group = (*server, prefix)
        # In a cluster another channel may be on another node, and no commit takes in two of them.
        self._joint_group = self._group if address.kind == "cluster" else server
        self._shared = self._channel.domain(self._name, domain)
        self._shared.join(self)
        report_unused(self, {name: value for name, value in settings.items() if name not in SETTINGS})

    def get_value(self, key: str) -> tuple[bool, Any]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            encoded = self._read("HGET", field_of(key))
            return (False, missing(key)) if encoded is None else (True, codec.decode(encoded))
        except StorageError as error:
            return False, str(error)

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            self._commit_one(key, codec.encode(value))
        except StorageError as error:
            return False, str(error)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            removed = self._commit_one(key, None)
        except StorageError as error:
            return False, str(error)
        return (True, key) if removed else (False, missing(key))

    def all_keys(self) -> Iterable[str]:
        return [key for key in map(self._key, self._read("HKEYS")) if key is not None]

    def group(self) -> Hashable:
        return self._group

    def joint_group(self) -> Hashable:
        return self._joint_group

    def moment(self, since: float) -> int | None:
        self._channel.began = since
        return self._channel.moment

    def load_one(self, key: str) -> Encoded | None:
        encoded: bytes | None = self._read("HGET", field_of(key))
        if encoded is not None:
            _check_text(encoded)
        return encoded

    def load_all(self) -> dict[str, Encoded]:
        self._check_open()
        self._shared.loads(self)
        if self._channel.is_old:
            catch_up(self._channel)
        try:
            newest, counted, flat = self._read_all()
        except StorageUnavailable:
            raise
        except StorageError:
            catch_up(self._channel)  # which mends what it can, and says what it cannot
            newest, counted, flat = self._read_all()
        self._channel.loaded(newest)
        if counted is not None and counted.isdigit() and int(counted) > len(flat) // 2:
            catch_up(self._channel)  # which looks at both in one step
        loaded: dict[str, Encoded] = {}
        for field, encoded in zip(flat[::2], flat[1::2], strict=True):
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
        commit_now(self._client, self._prepared(batch, origin))

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        await self._client.committer.commit(self._prepared(batch, origin))

    def hand_in(self, batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
        commit = self._prepared(batch, origin, after if isinstance(after, Commit) else None)
        self._client.committer.hand_in(commit, outcome)
        return commit

    # -- other processes -----------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:  # type: ignore[override]
        return self._channel.waits

    @property
    def followed(self) -> bool:  # type: ignore[override]
        return self._channel.followed

    @property
    def problem(self) -> str | None:  # type: ignore[override]
        return self._client.problem

    @property
    def notice(self) -> str | None:  # type: ignore[override]
        return self._channel.notices.newest

    @property
    def lost_commits(self) -> int:  # type: ignore[override]
        return self._channel.notices.lost_commits

    def begin(self) -> int | None:
        self._check_open()
        self._channel.turns.take()
        if self._channel.is_old:
            catch_up(self._channel)
        return self._channel.begins()

    def has_news(self, seen: int) -> bool:
        return self._shared.has_news(seen)

    def news(self, seen: int) -> News | None:
        if self._channel.is_old and not self._channel.followed:
            catch_up(self._channel)
        return self._shared.news(self, seen)

    def follow(self, listener: Callable[[], None]) -> Callable[[], None] | None:
        self._check_open()
        unsubscribe = ExitStack()
        unsubscribe.callback(self._channel.listen(listener))
        unsubscribe.callback(self._client.follower.follow(self._channel))
        return unsubscribe.close

    def size(self) -> int | None:
        self._check_open()
        return self._memory(self._hash)

    def shared_size(self) -> int | None:
        self._check_open()
        return self._memory(self._channel.stream)

    def probe(self) -> bool:
        self._check_open()
        self._client.run(PROBE, [self._channel.probe], [])
        return True

    def close(self) -> None:
        self._release()

    def _read(self, command: str, *arguments: bytes) -> Any:
        self._check_open()
        self._channel.settle()
        return self._client.call(command, self._hash, *arguments)

    def _read_all(self) -> tuple[bytes | None, bytes | None, list[bytes]]:
        """The newest commit of the channel, how many keys the dict has by its commits, and all its fields and values.

        The commit first: what is committed between the two answers is then taken for news and applied again, which does no harm.
        """
        (newest, counted), flat = self._client.call_all([("HMGET", self._channel.record, "newest", self._name), ("HGETALL", self._hash)])
        return newest, counted, flat

    def _memory(self, key: bytes) -> int:
        # In one word, since in a cluster the second one is the key by which the node is found.
        return self._client.call("MEMORY USAGE", key) or 0

    def _prepared(self, batch: Sequence[DomainChanges], origin: Origin, after: Commit | None = None) -> Commit:
        """The first of the channels is that of the commit on which this one builds, or else this one's own; the others are joint."""
        self._check_open()
        by_channel: dict[RedisChannel, list[tuple[RedisDatabase, DomainChanges]]] = {self._channel if after is None else after.channel: []}
        for part in batch:
            if not isinstance(part.engine, RedisDatabase):
                raise CommitFailed(f"{part.engine!r} is no Redis engine; nothing was changed")
            by_channel.setdefault(part.engine._channel, []).append((part.engine, part))
        own, *others = by_channel.items()
        joint = [self._commit(*other, None, origin, ()) for other in others]
        return self._commit(*own, after, origin, joint)

    def _commit(
        self,
        channel: RedisChannel,
        parts: Sequence[tuple[RedisDatabase, DomainChanges]],
        after: Commit | None,
        origin: Origin,
        joint: Sequence[Commit],
    ) -> Commit:
        changes: dict[bytes, dict[bytes, Encoded | None]] = {}
        bases = []
        for engine, part in parts:
            # Only the last change of a key counts: within one script nobody sees the others.
            changes.setdefault(engine._name, {}).update((field_of(key), encoded) for key, encoded in part.changes)
            bases += [] if part.base is None else [part.base]
        refuse_too_many(changes)
        base = min(bases, default=None)
        return Commit(channel, changes, base, after=after, origin=origin, patience=self._client.address.timeout, joint=joint)

    def _commit_one(self, key: str, encoded: Encoded | None) -> int:
        """How many keys it removed."""
        return commit_now(self._client, self._prepared([DomainChanges(self, [(key, encoded)])], Origin())).removed

    def _check_open(self) -> None:
        if not self._release.alive:
            raise StoreClosed(f"{self!r} is closed")

    def _key(self, field: bytes) -> str | None:
        try:
            return key_of(field)
        except UnicodeDecodeError as error:
            self._set_aside(None, f"the field {field!r} is no key: {error}")
            return None

    def _set_aside(self, key: str | None, reason: str) -> None:
        # What cannot be read stays where it is: Redis is the operator's to repair, and the other keys do not depend on it.
        where = f"Redis key {self._hash.decode(errors='backslashreplace')}"
        finding = Finding("quarantined", self.domain, key, where, reason)
        if finding not in self.report:
            self.report.append(finding)


def _check_text(encoded: bytes) -> None:
    try:
        _check_json(encoded)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UnreadableValue(f"the value is invalid JSON: {error}") from error

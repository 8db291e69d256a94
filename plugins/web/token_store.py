"""Where the signing key and the list of given tokens are kept.

Processes that serve the same channels have to agree on both. What they share is the storage of the dicts; so if that is in an
engine which several processes can use, key and list are there too. Otherwise there is one process, and its files are the safer
place: they are readable by their owner only, and `mooring token` can use them while the service holds the lock of its storage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from mooring import ServiceDicts, SystemDict, shared_entry
from mooring.plugins.web.signing import SigningKeys, checked_keys, new_keys
from mooring.plugins.web.token_files import Kept, TokenFiles
from mooring.plugins.web.token_list import IssuedToken
from storage import DbConfig, MoobiusStorage, StorageError, VersionConflict

log = logging.getLogger(__name__)
T = TypeVar("T")

SIGNING, TOKENS = SystemDict("signing"), SystemDict("tokens")
SERVICE_DICTS = (ServiceDicts("gateway", (SIGNING, TOKENS), is_secret=True),)

_KEY, _OLDER, _CHANGES = "key", "older", "changes"
_ATTEMPTS = 20


class TokenStore(Protocol):
    """Keeps the keys and one list."""

    def news(self) -> Kept | None:
        """Keys and list; None if they are as they were when this was asked last. The first key is made when it is first asked for."""

    def change_keys(self, work: Callable[[SigningKeys], SigningKeys]) -> None:
        """Keep what `work` makes of the newest keys. It may run more than once."""

    def change(self, work: Callable[[dict[str, IssuedToken]], T]) -> T:
        """Let `work` change the newest list, and keep what it made of it. It may run more than once."""

    def refresh(self) -> None:
        """From here on `news` has all that was kept until now, by whatever process. It may write."""

    def close(self) -> None: ...


class SharedTokenStore:
    """Keys and list in two dicts that other processes use as well."""

    def __init__(self, storage: MoobiusStorage, place: str) -> None:
        self._storage = storage
        self._place = place
        self._signing, self._tokens = SIGNING.of(storage), TOKENS.of(storage)
        self._is_stale = True

    def __str__(self) -> str:
        return self._place

    def follow(self) -> None:
        """From here on `news` has what others change, without asking the server."""
        self._storage.follow(lambda: None)

    def take_over(self, files: TokenFiles) -> None:
        """Keep what a process alone kept in files, unless there is a key already."""
        found = None if _KEY in self._signing else files.export()
        if found is None:
            return

        def fill() -> bool:
            if _KEY in self._signing:
                return False
            self._put_keys(found.keys)
            self._tokens.update({token_id: msgspec.to_builtins(line) for token_id, line in found.tokens.items()})
            return True

        if self._commit(fill):
            count = len(found.tokens)
            log.warning("signing key and %d tokens of %s are in %s from now on; the files are kept under names with .moved", count, files, self)
            files.retire()

    def news(self) -> Kept | None:
        """Keys and list if somebody changed them. Asks the server only if the news are that there is no telling what changed.

        Raises StorageError if they cannot be read now, or something else is kept in their place.
        """
        news = self._storage.news()
        self._is_stale = self._is_stale or TOKENS.changed_as in news or SIGNING.changed_as in news
        if not self._is_stale:
            return None
        kept = Kept(self._keys(), self._read())
        self._is_stale = False
        return kept

    def change_keys(self, work: Callable[[SigningKeys], SigningKeys]) -> None:
        """Commit other keys. Raises StorageError, and then nothing was changed."""
        self._keys()
        self._is_stale = True
        self._commit(lambda: self._put_keys(work(self._read_keys())))

    def _keys(self) -> SigningKeys:
        unreadable = next((found for found in self._storage.report if found.key in {_KEY, _OLDER}), None)
        if unreadable is not None:  # as if there were none, and another one would void all tokens
            raise StorageError(f"dict {SIGNING.changed_as} in {self} holds no signing keys ({unreadable.reason}); restore it, or delete it")
        if _KEY not in self._signing:
            self._commit(lambda: None if _KEY in self._signing else self._put_keys(new_keys()))
        return self._read_keys()

    def _read_keys(self) -> SigningKeys:
        kept = {name: self._signing[name] for name in (_KEY, _OLDER) if name in self._signing}
        return checked_keys(kept, f"dict {SIGNING.changed_as} in {self}")

    def _put_keys(self, keys: SigningKeys) -> None:
        self._signing.update(msgspec.to_builtins(keys))

    def change(self, work: Callable[[dict[str, IssuedToken]], T]) -> T:
        """Commit the lines that differ. Raises StorageError, and then nothing was changed."""

        def body() -> T:
            # Counted, for only a commit finds out whether the list is the newest: "no such token" must not rest on an old one.
            self._signing[_CHANGES] = self._signing.get(_CHANGES, 0) + 1
            given = self._read()
            result = work(given)
            for token_id, line in given.items():
                changed = msgspec.to_builtins(line)
                if self._tokens.get(token_id) != changed:
                    self._tokens[token_id] = changed
            return result

        self._is_stale = True  # of its own changes a storage has no news
        return self._commit(body)

    def refresh(self) -> None:
        """Have what other processes committed a moment ago, which comes by itself a little later. Raises StorageError.

        By a commit, as only that is sure to notice that something is newer; waiting for the follower cannot tell how long.
        """
        self.change(lambda given: None)

    def close(self) -> None:
        """Close the storage."""
        self._storage.close()

    def _read(self) -> dict[str, IssuedToken]:
        given = {}
        for token_id, line in self._tokens.items():
            try:
                given[token_id] = msgspec.convert(line, IssuedToken)
            except msgspec.ValidationError as error:
                log.error("the token %r in %s cannot be read and is no good: %s", token_id, self._place, error)  # noqa: TRY400 - the line says it
        return given

    def _commit(self, body: Callable[[], T]) -> T:
        for remaining in reversed(range(_ATTEMPTS)):
            try:
                with self._storage.transaction(event="tokens"):
                    return body()
            except VersionConflict:
                if not remaining:
                    raise
        raise AssertionError("unreachable")


def open_token_store(data_dir: Path, service_id: str, db_config: DbConfig, *, follow: bool = False) -> TokenFiles | SharedTokenStore:
    """The place for a service with this db config, opened. `follow` is for who stays. Blocks; raises ConfigError and StorageError."""
    entry = shared_entry(db_config)
    if entry is None:
        return TokenFiles(data_dir)
    storage = SERVICE_DICTS[0].open(service_id, [entry])
    try:
        store = SharedTokenStore(storage, f"the {entry['implementation']} that has {entry['name']}")
        if data_dir.is_dir():
            store.take_over(TokenFiles(data_dir))
        if follow:
            store.follow()
    except BaseException:
        storage.close()
        raise
    return store

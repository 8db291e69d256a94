"""NullDatabase: the engine that keeps nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.engine_support.messages import key_refusal, missing, report_unused
from storage.errors import ValueRefused


class NullDatabase(DatabaseInterface):
    """Every write succeeds and every read misses: a dict over it lives in memory alone.

    It refuses the keys and values that the keeping engines refuse, so that a later change of the config brings no surprise.
    """

    persistent = False
    overlaps = True

    def __init__(self, domain: str = "", **settings: Any) -> None:
        super().__init__(domain)
        report_unused(self, settings)

    def get_value(self, key: str) -> tuple[bool, Any]:
        return False, key_refusal(key) or missing(key)

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        refusal = key_refusal(key)
        if refusal is not None:
            return False, refusal
        try:
            codec.encode(value)
        except ValueRefused as error:
            return False, str(error)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        refusal = key_refusal(key)
        return (True, key) if refusal is None else (False, refusal)

    def all_keys(self) -> Iterable[str]:
        return ()

    def group(self) -> Hashable:
        return ("null",)

    def load_one(self, key: str) -> Encoded | None:
        return None

    def load_all(self) -> dict[str, Encoded]:
        return {}

    def probe(self) -> bool:
        return True

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        pass

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        pass

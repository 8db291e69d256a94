"""Engines of other authors, who wrote the four methods and nothing else, and not always as the contract says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from storage.database_interface import DatabaseInterface
from storage.dicts.cached_dict import CachedDict
from storage.errors import CommitFailed, StorageUnavailable
from storage.moobius_storage import MoobiusStorage


class Careless(DatabaseInterface):
    """Does not call the constructor of its base, and raises at its n-th write, before or after having done it."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self.fails_at = -1
        self.fails_after_writing = False

    def get_value(self, key: str) -> tuple[bool, Any]:
        return (True, self.content[key]) if key in self.content else (False, "not there")

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        self._count(not self.fails_after_writing)
        self.content[key] = value
        self._count(self.fails_after_writing)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        self._count(not self.fails_after_writing)
        if key not in self.content:
            return False, "not there"
        del self.content[key]
        self._count(self.fails_after_writing)
        return True, key

    def all_keys(self) -> Iterable[str]:
        yield from list(self.content)

    def _count(self, now: bool) -> None:
        if now:
            self.fails_at -= 1
            if self.fails_at == 0:
                raise OSError("the disk is gone")


def test_an_engine_need_not_call_the_constructor_of_its_base() -> None:
    engine = Careless()
    with MoobiusStorage("1", "tavern") as storage:
        storage.put("bars", engine)
        with storage.transaction():
            storage.bars["ann"] = {"hp": 5}
        storage.bars["ann"]["hp"] = 4

    assert engine.content == {"ann": {"hp": 4}}
    assert engine.report == []


@pytest.mark.parametrize("fails_after_writing", [False, True])
@pytest.mark.parametrize("call", range(1, 5))
def test_an_engine_that_raises_amid_a_commit_keeps_nothing_of_it(call: int, fails_after_writing: bool) -> None:
    engine = Careless()
    bars = CachedDict(engine)
    bars.update(ann=1, bob=[2], cid=3)
    engine.fails_after_writing = fails_after_writing
    engine.fails_at = call

    with pytest.raises(CommitFailed, match="nothing was changed") as caught:
        bars.update(ann=10, dan=4, bob=[20], eve=5)

    assert isinstance(caught.value.__cause__, OSError)
    assert engine.content == dict(bars) == {"ann": 1, "bob": [2], "cid": 3}
    bars.update(ann=10, dan=4)
    assert engine.content == dict(bars) == {"ann": 10, "bob": [2], "cid": 3, "dan": 4}


def test_a_delete_that_raises_amid_a_transaction_is_taken_back() -> None:
    engine = Careless()
    with MoobiusStorage("1", "tavern") as storage:
        storage.put("bars", engine)
        storage.bars.update(ann=1, bob=2)
        engine.fails_after_writing = True
        engine.fails_at = 1
        with pytest.raises(CommitFailed), storage.transaction():
            storage.bars["cid"] = 3
            del storage.bars["ann"]
        assert engine.content == dict(storage.bars) == {"ann": 1, "bob": 2}


def test_an_interrupt_amid_a_commit_stays_an_interrupt_and_keeps_nothing() -> None:
    class Interrupted(Careless):
        def _count(self, now: bool) -> None:
            try:
                super()._count(now)
            except OSError:
                raise KeyboardInterrupt from None

    engine = Interrupted()
    bars = CachedDict(engine)
    engine.fails_at = 2
    with pytest.raises(KeyboardInterrupt):
        bars.update(ann=1, bob=2)
    assert engine.content == dict(bars) == {}


def test_keys_that_cannot_be_read_are_named_and_cost_no_others(caplog: pytest.LogCaptureFixture) -> None:
    class Damaged(Careless):
        def get_value(self, key: str) -> tuple[bool, Any]:
            if key == "refused":
                return False, "the sector is bad"
            if key == "raised":
                raise OSError("the disk is gone")
            return super().get_value(key)

    engine = Damaged()
    engine.content = {"ann": 1, "refused": 2, "raised": 3, "odd": object(), 5: 6, "bob": 7}  # type: ignore[dict-item]
    with MoobiusStorage("1", "tavern") as storage:
        storage.put("bars", engine)
        assert storage.bars == {"ann": 1, "bob": 7}
        named = {finding.key: finding.reason for finding in storage.report}

    assert list(named) == ["refused", "raised", "odd", "5"]
    assert named["refused"] == "the sector is bad"
    assert "the disk is gone" in named["raised"]
    assert "keys are strings" in named["5"]
    assert all(repr(key) in caplog.text for key in ("refused", "raised", "odd", 5))


def test_an_engine_that_cannot_be_reached_is_no_heap_of_unreadable_keys() -> None:
    class Away(Careless):
        def get_value(self, key: str) -> tuple[bool, Any]:
            raise StorageUnavailable("the server does not answer")

    engine = Away()
    engine.content = {"ann": 1}
    with pytest.raises(StorageUnavailable):
        CachedDict(engine).load()

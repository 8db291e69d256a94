"""Commits over a folder and a Redis server: a crash at any moment leaves all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from storage import MoobiusStorage, OutcomeUnknown, StorageUnavailable, VersionConflict
from storage.database_interface import DatabaseInterface
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.errors import CommitFailed
from storage.json.database import JSONDatabase
from tests.shared.ports_for_tests import start_valkey
from tests.storage.engines_for_tests import FourMethods

pytestmark = pytest.mark.redis


class Died(BaseException):
    """Stands for the end of the process: nothing catches it, and nothing is done after it."""


@pytest.fixture
def channel(fresh_domain: str) -> str:
    return fresh_domain.split("_")[1].partition(".")[0]


def config(tmp_path: Path, port: int, *, redis_first: bool = False) -> list[dict[str, Any]]:
    health = {"implementation": "json", "name": "health", "settings": {"root_dir": str(tmp_path / "json")}}
    mana = {"implementation": "redis", "name": "mana", "settings": {"host": "127.0.0.1", "port": port, "timeout": 0.5}}
    bonus = {"implementation": "json", "name": "bonus", "settings": {"root_dir": str(tmp_path / "other")}}
    return [*((mana, health) if redis_first else (health, mana)), bonus, {"implementation": "null", "name": "notes"}]


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, after: int, *, done: bool) -> Iterator[list[int]]:
    """Let the process die at the commit of this number, before the engine has it or after."""
    calls = [0]
    commit = TwoPhaseCommit._commit

    def dies(self: TwoPhaseCommit, *arguments: Any) -> None:
        calls[0] += 1
        if calls[0] > after or (calls[0] == after and not done):
            raise Died
        commit(self, *arguments)
        if calls[0] == after:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(TwoPhaseCommit, "_commit", dies)
        yield calls


def change(storage: MoobiusStorage, value: int) -> None:
    handled = storage.system("handled")
    with storage.transaction(member="ann", event="e1"):
        for name in storage.names():
            getattr(storage, name)["ann"] = value
            getattr(storage, name)["{\ud800"] = {"deep": [value]}
        handled["e1"] = value


def seen(storage: MoobiusStorage) -> list[Any]:
    dicts = [storage.health, storage.mana, storage.bonus, storage.system("handled")]
    return [(each.get("ann"), each.get("{\ud800"), each.get("e1")) for each in dicts]


@pytest.mark.parametrize("redis_first", [False, True])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("after", range(1, 6))
def test_a_crash_at_any_commit_leaves_all_or_nothing(
    tmp_path: Path, redis_port: int, channel: str, monkeypatch: pytest.MonkeyPatch, after: int, done: bool, redis_first: bool
) -> None:
    entries = config(tmp_path, redis_port, redis_first=redis_first)
    with MoobiusStorage("1", channel, entries) as storage:
        change(storage, 1)
        before = seen(storage)
        with dying(monkeypatch, after, done=done), pytest.raises(Died):
            change(storage, 2)
    with MoobiusStorage("1", channel, entries) as storage:
        found = seen(storage)
        is_made = (after, done) >= (3, True)  # two notes, then the decision
        assert found == ([_with(2, each) for each in before] if is_made else before)
        kinds = {finding.kind for finding in storage.report}
        is_whole = (after, done) in {(1, False), (5, True)}
        assert kinds == (set() if is_whole else {"finished"} if is_made else {"undone"})
        assert all("ann (e1)" in finding.reason for finding in storage.report)
        change(storage, 3)
        assert seen(storage) == [_with(3, each) for each in before]
    with MoobiusStorage("1", channel, entries) as storage:
        assert storage.report == [], "nothing is left over"


def _with(value: int, item: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    one, deep, event = item
    return one and value, deep and {"deep": [value]}, event and value


def test_a_refusal_of_the_one_that_decides_changes_nothing(tmp_path: Path, redis_port: int, channel: str) -> None:
    entries = config(tmp_path, redis_port)
    with MoobiusStorage("1", channel, entries) as storage, _other(channel, redis_port) as other:
        change(storage, 1)
        other.mana["bob"] = 1
        with pytest.raises(VersionConflict):
            change(storage, 2)
        assert storage.health["ann"] == storage.mana["ann"] == 1
        change(storage, 3)
        assert storage.health["ann"] == storage.mana["ann"] == 3
        assert storage.report == []


@contextmanager
def _other(channel: str, port: int) -> Iterator[MoobiusStorage]:
    entry = {"implementation": "redis", "name": "mana", "settings": {"host": "127.0.0.1", "port": port}}
    with MoobiusStorage("1", channel, entry) as storage:
        yield storage


def test_when_the_others_cannot_follow_the_decision_is_taken_back(
    tmp_path: Path, redis_port: int, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = JSONDatabase.commit_batch

    def full(self: JSONDatabase, batch: Any, origin: Any, *, sync: bool) -> None:
        if any(part.engine.domain.endswith(".health") for part in batch):
            raise CommitFailed("the disk is full")
        commit(self, batch, origin, sync=sync)

    with MoobiusStorage("1", channel, config(tmp_path, redis_port)) as storage:
        change(storage, 1)
        with monkeypatch.context() as patch:
            patch.setattr(JSONDatabase, "commit_batch", full)
            with pytest.raises(CommitFailed, match="disk is full"):
                change(storage, 2)
        assert [storage.health["ann"], storage.mana["ann"], storage.bonus["ann"]] == [1, 1, 1]
        change(storage, 3)
        assert [storage.health["ann"], storage.mana["ann"], storage.bonus["ann"]] == [3, 3, 3]


def test_a_server_that_goes_away_before_it_answers_is_asked_when_it_is_back(tmp_path: Path, channel: str) -> None:
    server = start_valkey(appendonly="yes")
    try:
        with MoobiusStorage("1", channel, config(tmp_path, int(server.port))) as storage:
            change(storage, 1)
            server.stop()
            with pytest.raises(StorageUnavailable):
                change(storage, 2)
            server.start()
            for _ in range(3):
                with suppress(OutcomeUnknown, VersionConflict):
                    change(storage, 3)
                    break
            assert storage.health["ann"] == storage.mana["ann"] == 3
    finally:
        server.terminate()


def test_a_note_whose_engine_is_gone_from_the_config_stays(tmp_path: Path, redis_port: int, channel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = config(tmp_path, redis_port)
    with MoobiusStorage("1", channel, entries) as storage, dying(monkeypatch, 3, done=True), pytest.raises(Died):
        change(storage, 2)
    without = [entry for entry in entries if entry["name"] != "mana"]
    with MoobiusStorage("1", channel, without) as storage:
        assert {finding.kind for finding in storage.report} == {"note"}
        assert "mana" in storage.report[0].reason
        assert "ann" not in storage.health
    with MoobiusStorage("1", channel, entries) as storage:
        assert storage.health["ann"] == 2


def test_engines_that_were_put_are_taken_back_as_before(tmp_path: Path, redis_port: int, channel: str) -> None:
    entries = config(tmp_path, redis_port)[:1]
    with MoobiusStorage("1", channel, entries) as storage:
        third: DatabaseInterface = FourMethods("third")
        storage.put("third", third)
        with storage.transaction():
            storage.health["ann"] = storage.third["ann"] = 1
        third.broken.add("ann")  # type: ignore[attr-defined]
        with pytest.raises(CommitFailed), storage.transaction():
            storage.health["ann"] = storage.third["ann"] = 2
        assert storage.health["ann"] == storage.third["ann"] == 1

"""The threads of a store: what they stumble over is told in words, and they go on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage import JSONDatabase, MoobiusStorage, StorageError
from storage.json.store import Store

DICTS = 40


def opened(root: Path) -> MoobiusStorage:
    return MoobiusStorage("1", "tavern", {"implementation": "json", "name": "gold", "settings": {"root_dir": str(root)}})


def store_of(storage: MoobiusStorage) -> Store:
    engine = storage.gold.database
    assert isinstance(engine, JSONDatabase)
    return engine._store


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_damaged_dicts_are_loaded_while_checkpoints_run(tmp_path: Path) -> None:
    """Both keep what is damaged, and each did once what the other one had done already."""
    store = Store(tmp_path)
    domains = [f"service_1.channel_x.d{number}" for number in range(DICTS)]
    store.commit([(store.table(domain), [("ann", b"80"), ("bob", b'"b"')]) for domain in domains], sync=False)
    store.close()
    for path in tmp_path.rglob("d*.json"):
        path.write_bytes(path.read_bytes().replace(b'"bob": "b"', b'"bob": "c"'))
    store = Store(tmp_path)
    failures: list[BaseException] = []
    done = threading.Event()

    def checkpoints() -> None:
        try:
            while not done.is_set():
                store.checkpoint()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=checkpoints)
    thread.start()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda domain: dict(store.copy(store.table(domain))), domains))
    done.set()
    thread.join()
    store.close()
    assert failures == []
    assert [set(values) for values in found] == [{"ann"}] * DICTS
    assert len(list((tmp_path / "quarantine").glob("*.note.json"))) == DICTS


def test_a_checkpoint_that_fails_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.json.checkpoints._RETRY_SECONDS", 0.01)
    with opened(tmp_path) as storage:
        storage.gold["ann"] = 1
        store = store_of(storage)
        calls: list[int] = []
        seen = threading.Event()

        def settle() -> None:
            calls.append(1)
            if len(calls) < 3:
                raise KeyError("somebody else took it out")
            seen.wait(20)

        monkeypatch.setattr(store._quarantine, "settle", settle)
        store._checkpoints.wake()
        wait_until(lambda: bool(storage.problems()))
        [problem] = storage.problems()
        seen.set()
        assert "checkpoint" in problem
        assert "somebody else took it out" in problem
        wait_until(lambda: not storage.problems())
        assert len(calls) == 3
        assert list(tmp_path.rglob("gold.json"))
        calls.clear()
        storage.gold["ann"] = 2
        calls += [1, 1, 1]
        store._checkpoints.wake()
        wait_until(lambda: b'"ann": 2' in next(tmp_path.rglob("gold.json")).read_bytes())


@pytest.mark.parametrize("overlap", [False, True])
async def test_commits_go_on_after_a_failure_that_nobody_foresaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overlap: bool) -> None:
    with opened(tmp_path) as storage:
        journal = store_of(storage)._journal
        append = journal._append

        def broken(entries: object) -> None:
            monkeypatch.setattr(journal, "_append", append)
            raise RuntimeError("out of its mind")

        monkeypatch.setattr(journal, "_append", broken)
        with pytest.raises(StorageError, match="out of its mind"):
            async with storage.transaction(overlap=overlap) as transaction:
                storage.gold["ann"] = 1
            if transaction.outcome is not None:
                await transaction.outcome
        wait_until(lambda: bool(storage.problems()))
        assert "out of its mind" in storage.problems()[0]
        async with storage.transaction():
            storage.gold["ann"] = 2
        await asyncio.to_thread(wait_until, lambda: not storage.problems())
        assert storage.gold == {"ann": 2}

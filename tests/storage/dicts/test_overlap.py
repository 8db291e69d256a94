"""Transactions that begin while the commits of those before them are on their way."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import CommitFailed, JSONDatabase, MoobiusStorage, NullDatabase, Outcome, PredecessorFailed, StorageBusy, ValueRefused
from storage.dicts.peek import peek
from storage.dicts.pipeline import MOST_IN_FLIGHT
from storage.dicts.transaction import Transaction
from tests.storage.homes_for_tests import Recording, make_home
from tests.storage.slow_disk import SlowDisk

START = {"ann": 100, "bob": 0, "eve": 0}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    disk = SlowDisk()
    monkeypatch.setattr("storage.json.store.Files", lambda: disk)
    return disk


@pytest.fixture
def storage(disk: SlowDisk, tmp_path: Path) -> Iterator[MoobiusStorage]:
    with opened(tmp_path) as storage:
        storage.gold.update(START)
        storage.notes.update(old=[1], log=["start"])
        yield storage
        disk.mend()


def opened(root: Path) -> MoobiusStorage:
    config = [{"implementation": "json", "name": name, "settings": {"root_dir": str(root)}} for name in ("gold", "notes")]
    return MoobiusStorage("1", "tavern", config)


def outcome_of(transaction: Transaction) -> Outcome:
    assert transaction.outcome is not None
    return transaction.outcome


def give(storage: MoobiusStorage, giver: str, taker: str, amount: int) -> None:
    if storage.gold[giver] < amount:
        raise ValueError(f"{giver} has not got so much")
    storage.gold[giver] -= amount
    storage.gold[taker] += amount
    storage.notes["log"].append(f"{giver} gives {taker} {amount}")


async def transfer(storage: MoobiusStorage, giver: str, taker: str, amount: int = 10) -> Outcome:
    async with storage.transaction("ann", "give", overlap=True) as transaction:
        give(storage, giver, taker, amount)
    return outcome_of(transaction)


def durable(storage: MoobiusStorage, root: Path) -> dict[str, Any]:
    """What a process finds that opens a copy of the folder as it is now."""
    copy = root.with_name(root.name + "-copy")
    with storage.gold.database._store._checkpoint_lock:  # type: ignore[attr-defined]
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".owner"))
    with opened(copy) as copied:
        found = copied.gold.copy()
    shutil.rmtree(copy)
    return found


class TestBuildingOnWhatIsInFlight:
    async def test_the_next_begins_at_once_and_sees_what_was_handed_in(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        first = await transfer(storage, "ann", "bob")
        second = await transfer(storage, "bob", "eve")
        async with storage.transaction(overlap=True):
            assert storage.gold == {"ann": 90, "bob": 0, "eve": 10}
            assert storage.notes["log"] == ["start", "ann gives bob 10", "bob gives eve 10"]
            assert peek(storage.gold, "eve") == 10
        assert not first.done()
        assert not second.done()
        disk.mend()
        await second
        assert first.done()
        assert first.exception() is None
        assert storage.gold == {"ann": 90, "bob": 0, "eve": 10}
        assert storage.notes["log"] == ["start", "ann gives bob 10", "bob gives eve 10"]

    async def test_others_see_only_what_is_durable(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        outcome = await transfer(storage, "ann", "bob")

        def looks() -> None:
            assert storage.gold == START
            assert storage.gold["bob"] == 0
            assert list(storage.gold.values()) == [100, 0, 0]
            assert storage.notes["log"] == ["start"]
            assert peek(storage.gold, "ann") == 100
            assert (len(storage.gold), list(storage.gold), "bob" in storage.gold) == (3, ["ann", "bob", "eve"], True)
            assert storage.report == []
            storage.gold.load()

        looks()
        await asyncio.to_thread(looks)
        async with storage.transaction(overlap=True):
            thread = threading.Thread(target=looks)  # knows nothing of the transaction
            thread.start()
            await asyncio.to_thread(thread.join)
        disk.mend()
        await outcome
        assert storage.gold["bob"] == 10

    async def test_keys_come_and_go_in_their_order(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        model = dict(START)
        disk.hold()
        outcomes: list[Outcome] = []
        steps: list[dict[str, int | None]] = [
            {"new": 1, "ann": None},
            {"bob": 5, "ann": 7, "late": 2},
            {"new": None, "eve": None},
            {"eve": 3, "new": 9, "late": None},
            {"late": 4, "ann": 8},
        ]
        for number, step in enumerate(steps):
            if number == 3:  # a part of them becomes durable meanwhile
                disk.mend()
                await outcomes[1]
                disk.hold()
            async with storage.transaction(overlap=True) as transaction:
                for key, value in step.items():
                    if value is None:
                        del storage.gold[key], model[key]
                    else:
                        storage.gold[key] = model[key] = value
                    self._compare(storage, model)
            outcomes.append(outcome_of(transaction))
            async with storage.transaction(overlap=True):
                self._compare(storage, model)
                assert storage.gold.popitem() == list(model.items())[-1]
                storage.gold[list(model)[-1]] = model[list(model)[-1]]
        disk.mend()
        await outcomes[-1]
        self._compare(storage, model)
        async with storage.transaction():
            self._compare(storage, model)

    def _compare(self, storage: MoobiusStorage, model: dict[str, int]) -> None:
        gold = storage.gold
        assert list(gold.items()) == list(model.items())
        assert list(reversed(gold)) == list(reversed(model))
        assert len(gold) == len(model)
        assert [key in gold for key in ("ann", "bob", "eve", "new", "late")] == [key in model for key in ("ann", "bob", "eve", "new", "late")]
        assert gold.copy() == model
        assert gold.get("new", "no") == model.get("new", "no")

    async def test_values_of_an_ended_one_are_its_own(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        async with storage.transaction(overlap=True) as first:
            log = storage.notes["log"]
            log.append("kept")
        log.append("too late")
        async with storage.transaction(overlap=True) as second:
            assert storage.notes["log"] == ["start", "kept"]
            storage.notes["log"].append("second")
        disk.mend()
        await outcome_of(second)
        await outcome_of(first)
        assert storage.notes["log"] == ["start", "kept", "second"]

    async def test_threads_of_a_handler_work_on_it_too(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        await transfer(storage, "ann", "bob")
        async with storage.transaction(overlap=True) as transaction:
            await asyncio.to_thread(give, storage, "bob", "eve", 10)
        disk.mend()
        await outcome_of(transaction)
        assert storage.gold == {"ann": 90, "bob": 0, "eve": 10}

    async def test_many_share_one_sync(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        first = await transfer(storage, "ann", "bob", 1)
        await first
        disk.hold()
        before = disk.syncs
        outcomes = [await transfer(storage, "ann", "bob", 1) for _ in range(20)]
        disk.mend()
        for outcome in outcomes:
            await outcome
        assert disk.syncs - before <= 2
        assert storage.gold["bob"] == 21

    async def test_only_so_many_are_in_flight(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        outcomes = [await transfer(storage, "ann", "bob", 1) for _ in range(MOST_IN_FLIGHT)]
        next_one = asyncio.create_task(transfer(storage, "ann", "bob", 1))
        await asyncio.sleep(0.05)
        assert not next_one.done()
        disk.mend()
        await (await next_one)
        assert all(outcome.exception() is None for outcome in outcomes)

    def test_in_threads_without_an_event_loop(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        with storage.transaction(overlap=True) as first:
            give(storage, "ann", "bob", 10)
        with storage.transaction(overlap=True) as second:
            give(storage, "bob", "eve", 10)
        with pytest.raises(TimeoutError):
            outcome_of(second).wait(0.01)
        disk.mend()
        outcome_of(second).wait(20)
        outcome_of(first).wait(0)
        assert storage.gold["eve"] == 10

    async def test_a_commit_that_nobody_waits_for_is_made(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        await transfer(storage, "ann", "bob")
        storage.close()
        with opened(tmp_path) as again:
            assert again.gold["bob"] == 10

    async def test_it_ends_after_all_before_it_even_if_it_changes_nothing(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        await transfer(storage, "ann", "bob")
        async with storage.transaction(overlap=True) as reading:
            assert storage.gold["bob"] == 10
        refusing = storage.transaction(overlap=True)
        with pytest.raises(ValueError, match="not got so much"):
            async with refusing:
                give(storage, "bob", "eve", 50)
        called: list[Outcome] = []
        outcome_of(refusing).add_done_callback(called.append)
        await asyncio.sleep(0.01)
        assert not outcome_of(reading).done()
        assert not called
        disk.mend()
        await outcome_of(refusing)
        assert outcome_of(reading).exception() is None
        await asyncio.sleep(0)
        assert called == [refusing.outcome]

    async def test_an_idle_one_is_over_at_once(self, storage: MoobiusStorage) -> None:
        async with storage.transaction(overlap=True) as transaction:
            assert storage.gold["ann"] == 100
        assert outcome_of(transaction).done()
        called: list[Outcome] = []
        outcome_of(transaction).add_done_callback(called.append)
        await asyncio.sleep(0)
        assert called == [transaction.outcome]


class TestFailing:
    async def test_money_does_not_come_from_nowhere(self, storage: MoobiusStorage, disk: SlowDisk, tmp_path: Path) -> None:
        """An I/O error on "ann gives bob 10" while "bob gives eve 10" is queued."""
        disk.hold()
        first = await transfer(storage, "ann", "bob")
        await asyncio.to_thread(disk.reached.wait)  # the second does not come into the same write
        second = await transfer(storage, "bob", "eve")
        disk.is_broken = True
        disk.go.set()
        with pytest.raises(CommitFailed) as told:
            await first
        assert not isinstance(told.value, PredecessorFailed)
        disk.mend()
        with pytest.raises(PredecessorFailed, match="broken") as after:
            await second
        assert isinstance(after.value.first, CommitFailed)
        assert storage.gold == START == durable(storage, tmp_path)
        await (await transfer(storage, "ann", "eve"))
        assert storage.gold == {"ann": 90, "bob": 0, "eve": 10} == durable(storage, tmp_path)

    async def test_in_the_same_write_too(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        blocking = await transfer(storage, "ann", "bob", 1)
        await asyncio.to_thread(disk.reached.wait)
        outcomes = [await transfer(storage, "ann", "bob"), await transfer(storage, "bob", "eve")]
        disk.reached.clear()
        disk.fail()
        for outcome in (blocking, *outcomes):
            with pytest.raises(CommitFailed):
                await outcome
        assert storage.gold == START

    async def test_what_is_open_then_is_doomed_whatever_it_does(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        for end in ("commit", "raise", "refuse"):
            disk.hold()
            first = await transfer(storage, "ann", "bob")
            transaction = storage.transaction(overlap=True)
            with pytest.raises(PredecessorFailed):
                async with transaction:
                    storage.gold["eve"] += 1
                    disk.fail()
                    await first.end()
                    assert storage.gold["bob"] == 10  # what it was built on does not change under it
                    storage.gold["eve"] += storage.gold["bob"]
                    if end == "raise":
                        raise KeyError(end)
                    if end == "refuse":
                        storage.notes["old"].append(object())
            disk.mend()
            assert isinstance(transaction.doom, PredecessorFailed)
            with pytest.raises(PredecessorFailed):
                await outcome_of(transaction)
            assert storage.gold == START
            async with storage.transaction(overlap=True) as after:
                assert storage.gold == START
            await outcome_of(after)

    async def test_a_cancellation_comes_through_all_the_same(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        first = await transfer(storage, "ann", "bob")
        transaction = storage.transaction(overlap=True)
        with pytest.raises(asyncio.CancelledError):
            async with transaction:
                disk.fail()
                await first.end()
                raise asyncio.CancelledError
        disk.mend()
        assert isinstance(transaction.doom, PredecessorFailed)
        with pytest.raises(PredecessorFailed):
            await outcome_of(transaction)

    async def test_the_next_begins_on_what_is_durable_once_all_have_failed(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        outcomes = [await transfer(storage, "ann", "bob") for _ in range(3)]
        next_one = asyncio.create_task(transfer(storage, "ann", "eve", 100))
        await asyncio.sleep(0)
        disk.fail()
        for outcome in outcomes:
            await outcome.end()
        disk.mend()
        with pytest.raises((CommitFailed, ValueError)):
            await (await next_one)
        await (await transfer(storage, "ann", "eve", 100))
        assert storage.gold == {"ann": 0, "bob": 0, "eve": 100}

    async def test_what_was_refused_or_only_read_fails_with_what_it_was_built_on(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        await transfer(storage, "ann", "bob", 100)
        refusing = storage.transaction(overlap=True)
        with pytest.raises(ValueError, match="not got so much"):
            async with refusing:
                give(storage, "ann", "eve", 1)
        async with storage.transaction(overlap=True) as reading:
            assert storage.gold["bob"] == 100
        disk.fail()
        for transaction in (refusing, reading):
            with pytest.raises(PredecessorFailed):
                await outcome_of(transaction)

    async def test_one_that_cannot_be_kept_costs_no_other(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        first = await transfer(storage, "ann", "bob")
        with pytest.raises(ValueRefused):
            async with storage.transaction(overlap=True):
                storage.gold["eve"] = 5
                storage.notes["old"].append(object())
        last = await transfer(storage, "bob", "eve")
        disk.mend()
        await first
        await last
        assert storage.gold == {"ann": 90, "bob": 0, "eve": 10}
        assert storage.notes["old"] == [1]

    async def test_every_nth_failure(self, storage: MoobiusStorage, disk: SlowDisk, tmp_path: Path) -> None:
        """Whichever sync fails: what was told is there, what was told to have failed is not, and memory shows what the disk has."""
        for number in range(1, 8):
            before = storage.gold.copy()
            disk.syncs = 0
            disk.is_broken = False
            outcomes: list[Outcome] = []
            for place in range(6):
                if place == number % 4:
                    disk.hold()
                outcomes.append(await transfer(storage, "ann", "bob", 1))
                if place == (number + 2) % 5:
                    disk.is_broken = number % 2 == 0
                    disk.go.set()
                    await outcomes[-1].end()
                    disk.mend()
            disk.mend()
            made = 0
            for outcome in outcomes:
                await outcome.end()
                made += outcome.exception() is None
            assert storage.gold["bob"] == before["bob"] + made
            assert durable(storage, tmp_path) == storage.gold


class TestBesideOthers:
    async def test_a_single_write_waits_until_all_is_over(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        outcome = await transfer(storage, "ann", "bob")
        writing = asyncio.create_task(asyncio.to_thread(storage.gold.update, {"bob": 500}))
        await asyncio.sleep(0.05)
        assert not writing.done()
        disk.mend()
        await writing
        assert outcome.done()
        assert storage.gold["bob"] == 500

    async def test_on_the_event_loop_it_waits_for_the_disk_but_not_for_a_turn(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()
        outcome = await transfer(storage, "ann", "bob")
        threading.Timer(0.05, disk.mend).start()
        storage.gold["bob"] = 500
        assert outcome.done()
        disk.hold()
        await transfer(storage, "ann", "bob")
        entered, leave = asyncio.Event(), asyncio.Event()

        async def turn() -> None:
            async with storage.transaction(overlap=True):
                entered.set()
                await leave.wait()

        task = asyncio.create_task(turn())
        await entered.wait()
        with pytest.raises(StorageBusy, match="event loop"):
            storage.gold["bob"] = 1
        leave.set()
        disk.mend()
        await task

    @pytest.mark.parametrize("kind", ["task", "thread", "single", "other storage"])
    async def test_a_steady_stream_starves_nobody(self, storage: MoobiusStorage, tmp_path: Path, kind: str) -> None:
        stop = False

        async def stream() -> int:
            done = 0
            while not stop:
                await transfer(storage, "ann", "bob", 0)
                done += 1
                await asyncio.sleep(0)
            return done

        def in_thread() -> None:
            for _ in range(10):
                with storage.transaction():
                    storage.gold["eve"] += 1

        def singles() -> None:
            for number in range(10):
                storage.gold["eve"] = number + 1

        async def in_task(used: MoobiusStorage, *, overlap: bool = False) -> None:
            for _ in range(10):
                async with used.transaction(overlap=overlap):
                    used.gold["eve"] += 1

        streams = asyncio.create_task(stream())
        await asyncio.sleep(0.01)
        if kind == "task":
            await asyncio.wait_for(in_task(storage), 20)
        elif kind == "other storage":
            with opened(tmp_path) as other:
                await asyncio.wait_for(in_task(other, overlap=True), 20)
                stop = True
                await streams
        else:
            await asyncio.wait_for(asyncio.to_thread(in_thread if kind == "thread" else singles), 20)
        stop = True
        assert await streams > 0
        assert storage.gold["eve"] == 10

    async def test_tasks_that_overlap_take_turns(self, storage: MoobiusStorage) -> None:
        async def add(times: int) -> list[Outcome]:
            outcomes = []
            for _ in range(times):
                async with storage.transaction(overlap=True) as transaction:
                    before = storage.gold["bob"]
                    await asyncio.sleep(0)
                    storage.gold["bob"] = before + 1
                outcomes.append(outcome_of(transaction))
            return outcomes

        for outcomes in await asyncio.gather(*(add(20) for _ in range(5))):
            for outcome in outcomes:
                await outcome
        assert storage.gold["bob"] == 100

    async def test_a_commit_past_the_locks_is_seen(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        engine = JSONDatabase("service_1.channel_tavern.gold", str(tmp_path))
        for number in range(1, 4):
            await transfer(storage, "ann", "bob", 1)
            engine.set_value("eve", number)
            engine.set_value("eve", number * 10)
            async with storage.transaction(overlap=True) as transaction:
                assert storage.gold["eve"] == number * 10
            await outcome_of(transaction)
            assert storage.gold["bob"] == number
        engine.close()

    async def test_a_dict_can_be_added_while_commits_are_on_their_way(self, storage: MoobiusStorage, disk: SlowDisk, tmp_path: Path) -> None:
        disk.hold()
        first = await transfer(storage, "ann", "bob")
        threading.Timer(0.05, disk.mend).start()
        storage.add_container("json", {"root_dir": str(tmp_path)}, "more")
        async with storage.transaction(overlap=True) as transaction:
            assert first.done()
            storage.more["x"] = storage.gold["bob"]
        await outcome_of(transaction)
        assert storage.more == {"x": 10}

    async def test_it_joins_and_is_joined(self, storage: MoobiusStorage) -> None:
        async with storage.transaction(overlap=True) as outer:
            storage.gold["ann"] = 1
            async with storage.transaction(overlap=True) as inner:
                storage.gold["bob"] = 2
            with storage.transaction():
                storage.gold["eve"] = 3
            assert not outcome_of(inner).done()
        await outcome_of(inner)
        assert outer.outcome is inner.outcome
        assert storage.gold == {"ann": 1, "bob": 2, "eve": 3}
        async with storage.transaction() as plain:
            async with storage.transaction(overlap=True) as inner:
                storage.gold["ann"] = 5
            assert not outcome_of(inner).done()
        assert outcome_of(inner).done()
        assert plain.outcome is inner.outcome

    async def test_closing_waits_for_what_was_handed_in(self, storage: MoobiusStorage, disk: SlowDisk, tmp_path: Path) -> None:
        disk.hold()
        outcome = await transfer(storage, "ann", "bob")
        threading.Timer(0.05, disk.mend).start()
        storage.close()
        assert outcome.exception() is None
        with opened(tmp_path) as again:
            assert again.gold["bob"] == 10

    def test_the_loop_may_be_gone_before_the_commit_is_made(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        disk.hold()

        async def hand_in() -> Outcome:
            outcome = await transfer(storage, "ann", "bob")
            outcome.add_done_callback(lambda _: None)
            return outcome

        outcome = asyncio.run(hand_in())
        disk.mend()
        outcome.wait(20)
        storage.gold["eve"] = 1
        assert storage.gold == {"ann": 90, "bob": 10, "eve": 1}


class TestWhereItCannot:
    @pytest.mark.parametrize("kind", ["four", "not loaded", "two groups"])
    async def test_the_outcome_is_known_at_the_end(self, kind: str, tmp_path: Path, redis_port: int) -> None:
        with MoobiusStorage("1", "tavern") as storage:
            home = make_home("json" if " " in kind else kind, tmp_path, redis_port)
            storage.put("gold", home("gold"), load=kind != "not loaded")
            storage.put("notes", make_home("json", tmp_path / "other", 0)("notes") if kind == "two groups" else home("notes"))
            async with storage.transaction(overlap=True) as transaction:
                storage.gold["ann"] = 1
                storage.notes["x"] = 2
            assert outcome_of(transaction).done()
            await outcome_of(transaction)
            assert (storage.gold["ann"], storage.notes["x"]) == (1, 2)

    async def test_a_failure_is_told_at_the_end_and_by_the_outcome(self) -> None:
        with MoobiusStorage("1", "tavern") as storage:
            engine = Recording("service_1.channel_tavern.gold")
            storage.put("gold", engine)
            engine.refusal = CommitFailed("no")
            transaction = storage.transaction(overlap=True)
            with pytest.raises(CommitFailed):
                async with transaction:
                    storage.gold["ann"] = 1
            with pytest.raises(CommitFailed):
                await outcome_of(transaction)

    async def test_dicts_that_keep_nothing_go_along(self, storage: MoobiusStorage, disk: SlowDisk) -> None:
        storage.put("online", NullDatabase("service_1.channel_tavern.online"))
        storage.online["ann"] = 1
        for fails in (True, False):
            disk.hold()
            first = await transfer(storage, "ann", "bob")
            async with storage.transaction(overlap=True) as transaction:
                storage.online["ann"] += 1
                storage.online["bob"] = []
            async with storage.transaction(overlap=True) as last:
                assert storage.online == {"ann": 2, "bob": []}
                storage.gold["eve"] = 1
            assert storage.online == {"ann": 1}
            assert not outcome_of(transaction).done()
            if fails:
                disk.fail()
            else:
                disk.mend()
            await outcome_of(last).end()
            disk.mend()
            assert (first.exception() is not None) is fails
            assert (outcome_of(transaction).exception() is not None) is fails
            assert storage.online == ({"ann": 1} if fails else {"ann": 2, "bob": []})

    async def test_dicts_in_memory_alone(self) -> None:
        with MoobiusStorage("1", "tavern") as storage:
            storage.put("online", NullDatabase("service_1.channel_tavern.online"))
            for number in range(3):
                async with storage.transaction(overlap=True) as transaction:
                    storage.online["ann"] = number
                await outcome_of(transaction)
                assert storage.online["ann"] == number


def test_waiting_in_a_thread_on_a_busy_loop_does_not_hang(storage: MoobiusStorage) -> None:
    """Commits end without the help of any event loop."""

    async def main() -> None:
        outcome = await transfer(storage, "ann", "bob")
        deadline = time.monotonic() + 20
        while not outcome.done():
            assert time.monotonic() < deadline
            time.sleep(0.001)

    asyncio.run(main())

"""Transactions: together or not at all, whoever looks on, whatever fails, however the code inside runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage.database_interface import Origin
from storage.encoding import codec
from storage.errors import CommitFailed, StorageBusy, StorageError, StorageUnavailable, StoreClosed, TransactionEnded, ValueRefused
from storage.moobius_storage import MoobiusStorage
from tests.storage.engines_for_tests import FourMethods
from tests.storage.homes_for_tests import HOMES, Home, Recording, make_home


@codec.register(name="test_transactions.Hero")
@dataclass
class Hero:
    hp: int = 10
    items: list[str] = field(default_factory=list)


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path, redis_port: int) -> Home:
    return make_home(request.param, tmp_path, redis_port)


@pytest.fixture
def other_home(request: pytest.FixtureRequest, tmp_path: Path, redis_port: int) -> Home:
    """Another channel in the same kind of engine."""
    return make_home(request.node.callspec.params["home"], tmp_path, redis_port)


def open_storage(home: Home, *names: str, load: bool = True) -> MoobiusStorage:
    storage = MoobiusStorage("1", "tavern")
    for name in names or ("bars", "notes"):
        storage.put(name, home(name), load=load)
    return storage


@pytest.fixture(params=["loaded", "not loaded"])
def storage(request: pytest.FixtureRequest, home: Home) -> Iterator[MoobiusStorage]:
    with open_storage(home, load=request.param == "loaded") as made:
        yield made


def recording(*names: str) -> tuple[MoobiusStorage, list[Recording]]:
    storage = MoobiusStorage("1", "tavern")
    engines = [Recording(f"service_1.channel_tavern.{name}") for name in names or ("bars",)]
    for engine in engines:
        storage.put(engine.domain.rpartition(".")[2], engine)
    return storage, engines


def kept(home: Home, name: str = "bars") -> dict[str, Any]:
    engine = home(name)
    found = {key: engine.get_value(key)[1] for key in engine.all_keys()}
    engine.close()
    return found


class Stop(Exception):
    """What a handler raises in these tests."""


class TestTogether:
    def test_all_changes_come_at_the_end(self, storage: MoobiusStorage, home: Home) -> None:
        with storage.transaction(member="ann", event="e1"):
            storage.bars["ann"] = 80
            storage.notes["ann"] = ["hit"]
            assert kept(home) == kept(home, "notes") == {}
            assert storage.bars["ann"] == 80
        assert kept(home) == {"ann": 80}
        assert kept(home, "notes") == {"ann": ["hit"]}

    def test_an_exception_leaves_nothing(self, storage: MoobiusStorage, home: Home) -> None:
        storage.bars.update(ann=1, bob={"items": [{"n": 1}]}, cid=3)
        before = list(storage.bars.copy().items())
        with pytest.raises(Stop), storage.transaction():
            storage.bars["bob"]["items"][0]["n"] += 1
            storage.bars.pop("ann")
            storage.bars["ann"] = 5
            storage.bars.setdefault("dan", []).append(1)
            storage.bars |= {"eve": 2}
            storage.bars.popitem()
            storage.notes["x"] = 1
            storage.bars.clear()
            storage.bars["z"] = 0
            raise Stop
        assert list(storage.bars.copy().items()) == before
        assert list(storage.bars.items()) == before
        assert kept(home) == dict(before)
        assert len(storage.notes) == 0

    def test_changes_at_any_depth_are_kept(self, storage: MoobiusStorage, home: Home) -> None:
        storage.bars.update(ann={"items": [{"n": 1}], "tags": {"a"}}, bob=Hero(), cid=(1, [2]))
        with storage.transaction():
            storage.bars["ann"]["items"][0]["n"] += 1
            storage.bars["ann"]["tags"].add("b")
            storage.bars["bob"].hp -= 3
            storage.bars["bob"].items.append("bow")
            storage.bars["cid"][1].append(3)
            storage.bars.setdefault("dan", []).append(1)
            for value in storage.notes.values():
                value.append(1)
        expected = {"ann": {"items": [{"n": 2}], "tags": {"a", "b"}}, "bob": Hero(7, ["bow"]), "cid": (1, [2, 3]), "dan": [1]}
        assert kept(home) == expected
        assert storage.bars == expected

    def test_the_view_inside_is_that_of_a_dict(self, storage: MoobiusStorage) -> None:
        storage.bars.update(ann=1, bob=[2])
        with storage.transaction():
            del storage.bars["ann"]
            assert "ann" not in storage.bars
            assert storage.bars.get("ann") is None
            assert len(storage.bars) == 1
            storage.bars["cid"] = 3
            assert set(storage.bars) == {"bob", "cid"}
            assert storage.bars == {"bob": [2], "cid": 3}
            storage.bars["ann"] = 4
            assert list(storage.bars)[-1] == "ann"
            assert storage.bars.popitem() == ("ann", 4)
            assert storage.bars.pop("bob") == [2]
            with pytest.raises(KeyError):
                del storage.bars["bob"]
            with pytest.raises(KeyError):
                storage.bars["bob"]
            storage.bars["bob"] = []
            storage.bars["bob"].append(1)
            assert storage.bars["bob"] is storage.bars["bob"]
            assert storage.bars.copy() == {"cid": 3, "bob": [1]}
        assert storage.bars == {"cid": 3, "bob": [1]}

    def test_values_are_detached_at_the_end(self, storage: MoobiusStorage, home: Home) -> None:
        storage.bars["ann"] = []
        with storage.transaction():
            items = storage.bars["ann"]
            items.append("sword")
        items.append("late")
        storage.commit()
        assert storage.bars["ann"] == ["sword"]
        assert kept(home) == {"ann": ["sword"]}

    def test_unsaved_changes_from_before_are_seen_and_saved(self, storage: MoobiusStorage, home: Home) -> None:
        storage.bars.update(ann=[], bob=[])
        storage.bars["ann"].append("before")
        storage.bars["bob"].append("before")
        with pytest.raises(Stop), storage.transaction():
            storage.bars["ann"].append("inside")
            raise Stop
        assert storage.bars["ann"] == ["before"]
        with storage.transaction():
            storage.bars["ann"].append("inside")
        assert kept(home) == {"ann": ["before", "inside"], "bob": []}
        assert storage.bars["bob"] == ["before"]
        storage.commit()
        assert kept(home) == {"ann": ["before", "inside"], "bob": ["before"]}

    def test_setting_the_committed_value_drops_unsaved_changes(self, storage: MoobiusStorage) -> None:
        storage.bars["ann"] = ["kept"]
        storage.bars["ann"].append("unsaved")
        with storage.transaction():
            storage.bars["ann"] = ["kept"]
        assert storage.bars["ann"] == ["kept"]

    @pytest.mark.parametrize("kind", ["json", "four"])
    def test_order_survives_commit_and_rollback(self, kind: str, tmp_path: Path, redis_port: int) -> None:
        home = make_home(kind, tmp_path, redis_port)
        with open_storage(home) as storage:
            storage.bars.update(a=1, b=2, c=3, d=4)
            with pytest.raises(Stop), storage.transaction():
                del storage.bars["a"]
                storage.bars["a"] = 9
                assert list(storage.bars) == ["b", "c", "d", "a"]
                assert list(reversed(storage.bars)) == ["a", "d", "c", "b"]
                raise Stop
            assert list(storage.bars) == ["a", "b", "c", "d"]
            with storage.transaction():
                del storage.bars["b"]
                storage.bars["e"] = 5
                storage.bars["b"] = 6
                storage.bars["a"] = 7
            assert list(storage.bars) == list(kept(home)) == ["a", "c", "d", "e", "b"]


class TestCommits:
    def test_one_per_transaction_with_its_origin_and_sync(self) -> None:
        storage, (engine,) = recording()
        with storage.transaction(member="ann", event="e1"):
            storage.bars["ann"] = 1
            storage.bars["ann"] = [2]
            storage.bars["bob"] = 3
        assert engine.commits == [([("ann", b"[2]"), ("bob", b"3")], Origin("ann", "e1"), True)]
        storage.bars["cid"] = 4
        assert engine.commits[1:] == [([("cid", b"4")], Origin(), False)]
        storage.close()

    @pytest.mark.parametrize(
        "use",
        [
            lambda bars: None,
            lambda bars: bars["ann"],
            lambda bars: bars.get("nobody"),
            lambda bars: list(bars.items()),
            lambda bars: bars.setdefault("ann", 5),
            lambda bars: bars.__setitem__("ann", [1]),
            lambda bars: (bars["ann"].append(2), bars["ann"].pop()),
            lambda bars: (bars.__setitem__("new", 1), bars.pop("new")),
            lambda bars: bars.commit(),
            lambda bars: bars.save("ann"),
        ],
    )
    @pytest.mark.parametrize("load", [True, False])
    def test_none_when_nothing_changed(self, use: Callable[[Any], Any], load: bool) -> None:
        storage = MoobiusStorage("1", "tavern")
        engine = Recording("service_1.channel_tavern.bars")
        FourMethods.set_value(engine, "ann", [1])
        storage.put("bars", engine, load=load)
        with storage.transaction():
            use(storage.bars)
        assert engine.commits == []
        assert storage.bars == {"ann": [1]}
        storage.close()

    def test_a_file_that_a_person_wrote_with_spaces_is_no_change(self, tmp_path: Path) -> None:
        folder = tmp_path / "service_1" / "channel_tavern"
        folder.mkdir(parents=True)
        header = '"$mooring": {"format":1,"domain":"service_1.channel_tavern.bars","sequence":1,"keys":1}'
        (folder / "bars.json").write_text("{\n" + header + ',\n"ann": { "hp" : 1 }\n}\n')
        with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": {"root_dir": str(tmp_path)}}) as storage:
            with storage.transaction():
                assert storage.bars["ann"] == {"hp": 1}
            assert not (tmp_path / "journal").exists()
            with storage.transaction():
                storage.bars["ann"]["hp"] = 2
            assert (tmp_path / "journal").exists()

    def test_save_and_commit_inside_leave_it_to_the_end(self) -> None:
        storage, (engine,) = recording()
        with storage.transaction():
            storage.bars["ann"] = [1]
            storage.bars.save("ann")
            storage.bars.commit()
            storage.commit()
            with pytest.raises(KeyError):
                storage.bars.save("nobody")
            assert engine.commits == []
        assert len(engine.commits) == 1
        storage.close()


class TestNesting:
    def test_the_inner_one_joins(self) -> None:
        storage, (engine,) = recording()
        with storage.transaction(event="outer"):
            storage.bars["ann"] = 1
            with storage.transaction(event="inner"):
                storage.bars["ann"] += 1
            assert engine.commits == []
        assert engine.commits == [([("ann", b"2")], Origin("", "outer"), True)]
        storage.close()

    def test_the_outer_one_takes_the_inner_one_back(self, storage: MoobiusStorage) -> None:
        with pytest.raises(Stop), storage.transaction():
            with storage.transaction():
                storage.bars["ann"] = 1
            raise Stop
        assert "ann" not in storage.bars

    async def test_async_in_sync_and_back(self, storage: MoobiusStorage) -> None:
        with storage.transaction():
            async with storage.transaction():
                storage.bars["ann"] = 1
        async with storage.transaction():
            with storage.transaction():
                storage.bars["ann"] += 1
        assert storage.bars["ann"] == 2

    def test_two_storages_are_apart(self, home: Home, other_home: Home) -> None:
        with open_storage(home, "bars") as one, open_storage(other_home, "notes") as two, one.transaction():
            one.bars["ann"] = 1
            with pytest.raises(Stop), two.transaction():
                one.bars["bob"] = 2
                two.notes["ann"] = 3
                raise Stop
            assert one.bars == {"ann": 1, "bob": 2}
            assert two.notes == {}
            with two.transaction():
                two.notes["ann"] = 4
            assert kept(other_home, "notes") == {"ann": 4}
            assert kept(home) == {}

    def test_waiting_for_oneself_is_refused(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        with open_storage(home, "bars") as one, open_storage(home, "bars", "notes") as two, one.transaction():
            with pytest.raises(StorageBusy, match="another storage object"), two.transaction():
                pass
            with pytest.raises(StorageBusy, match="inside"):
                one.close()

    def test_another_object_over_the_same_data_takes_part(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        with open_storage(home, "bars") as one, open_storage(home, "bars") as two:
            one.bars["ann"] = [1]
            with pytest.raises(Stop), one.transaction():
                two.bars["ann"].append(2)
                with two.transaction():
                    two.bars["bob"] = 3
                assert one.bars == two.bars == {"ann": [1, 2], "bob": 3}
                raise Stop
            assert one.bars == two.bars == {"ann": [1]} == kept(home)
            with one.transaction():
                two.bars["ann"].append(2)
                one.bars["ann"].append(3)
                two.commit()
                assert kept(home) == {"ann": [1]}
            assert one.bars == two.bars == {"ann": [1, 2, 3]} == kept(home)

    def test_one_object_cannot_be_entered_twice_at_once(self, storage: MoobiusStorage) -> None:
        transaction = storage.transaction()
        with transaction, pytest.raises(StorageError, match="open already"), transaction:
            pass
        with transaction:
            storage.bars["ann"] = 1
        assert storage.bars["ann"] == 1

    def test_ended_in_another_order_than_begun(self, home: Home, other_home: Home) -> None:
        with open_storage(home, "bars") as one, open_storage(other_home, "notes") as two:
            first, second = one.transaction(), two.transaction()
            first.__enter__()
            second.__enter__()
            one.bars["ann"], two.notes["ann"] = 1, 2
            first.__exit__(None, None, None)
            assert kept(home) == {"ann": 1}
            assert kept(other_home, "notes") == {}
            one.bars["bob"] = 3
            assert kept(home) == {"ann": 1, "bob": 3}
            second.__exit__(None, None, None)
            assert kept(other_home, "notes") == {"ann": 2}


class TestThreads:
    def test_others_read_what_is_committed_and_wait_to_write(self, storage: MoobiusStorage) -> None:
        storage.bars.update(ann=[1], bob=2)
        with ThreadPoolExecutor() as threads:
            with storage.transaction():
                storage.bars["ann"].append(2)
                del storage.bars["bob"]
                storage.bars["cid"] = 3
                seen = threads.submit(lambda: (storage.bars["ann"], storage.bars.copy(), len(storage.bars), "bob" in storage.bars))
                assert seen.result(5) == ([1], {"ann": [1], "bob": 2}, 2, True)
                write = threads.submit(storage.bars.__setitem__, "cid", 4)
                second = threads.submit(self._transact, storage)
                assert not write.done()
                assert not second.done()
            write.result(5)
            second.result(5)
        assert storage.bars["cid"] == 4
        assert storage.bars == {"ann": [1, 2], "cid": 4, "dan": 5}

    @staticmethod
    def _transact(storage: MoobiusStorage) -> None:
        with storage.transaction():
            storage.bars["dan"] = 5

    def test_counters_lose_no_step(self, home: Home) -> None:
        storage = open_storage(home)

        def work() -> None:
            for _ in range(50):
                with storage.transaction():
                    storage.bars["ann"] = storage.bars.get("ann", 0) + 1
                    storage.notes.setdefault("log", []).append(storage.bars["ann"])

        with storage:
            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert kept(home) == {"ann": 200}
        assert kept(home, "notes") == {"log": list(range(1, 201))}

    def test_storages_over_the_same_data_take_turns(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)

        def work(names: tuple[str, str]) -> None:
            with open_storage(home, *names) as storage:
                for _ in range(40):
                    with storage.transaction():
                        storage.bars["n"] = storage.bars.get("n", 0) + 1
                        storage.notes["n"] = storage.notes.get("n", 0) + 1

        # In different orders, which would lock each other out if the locks were taken in these.
        threads = [threading.Thread(target=work, args=(names,)) for names in (("bars", "notes"), ("notes", "bars")) * 2]
        with open_storage(home) as storage:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert storage.bars == storage.notes == {"n": 160}


class TestAsync:
    async def test_commits_and_rolls_back(self, storage: MoobiusStorage, home: Home) -> None:
        async with storage.transaction(member="ann"):
            storage.bars["ann"] = {"items": []}
            await asyncio.sleep(0)
            storage.bars["ann"]["items"].append("sword")
        with pytest.raises(Stop):
            async with storage.transaction():
                storage.bars["ann"]["items"].append("shield")
                storage.notes["x"] = 1
                raise Stop
        assert kept(home) == {"ann": {"items": ["sword"]}}
        assert storage.notes == {}

    async def test_tasks_take_turns(self, storage: MoobiusStorage) -> None:
        async def step() -> None:
            async with storage.transaction():
                before = storage.bars.get("ann", 0)
                await asyncio.sleep(0)
                storage.bars["ann"] = before + 1

        await asyncio.gather(*(step() for _ in range(10)))
        assert storage.bars["ann"] == 10

    async def test_other_tasks_read_what_is_committed(self, storage: MoobiusStorage) -> None:
        storage.bars["ann"] = [1]
        inside, looked = asyncio.Event(), asyncio.Event()

        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"].append(2)
                inside.set()
                await looked.wait()

        task = asyncio.create_task(transact())
        await inside.wait()
        assert storage.bars["ann"] == [1]
        with pytest.raises(StorageBusy, match="event loop"):
            storage.bars["ann"] = 5
        with pytest.raises(StorageBusy, match="event loop"), storage.transaction():
            pass
        looked.set()
        await task
        assert storage.bars["ann"] == [1, 2]

    async def test_what_it_starts_is_inside(self, storage: MoobiusStorage) -> None:
        async def child(key: str) -> None:
            storage.bars[key] = [key]
            storage.bars["shared"].append(key)

        async with storage.transaction():
            storage.bars["shared"] = []
            await asyncio.gather(*(child(key) for key in "abc"))
            await asyncio.to_thread(storage.bars.__setitem__, "thread", 1)
            assert storage.bars["shared"] == ["a", "b", "c"]
        assert storage.bars == {"shared": ["a", "b", "c"], "a": ["a"], "b": ["b"], "c": ["c"], "thread": 1}

    async def test_what_outlives_it_needs_one_of_its_own(self, storage: MoobiusStorage, home: Home) -> None:
        ended = asyncio.Event()

        async def later() -> None:
            await ended.wait()
            with pytest.raises(TransactionEnded):
                storage.bars["late"] = 1
            async with storage.transaction():
                storage.bars["later"] = 2
            with pytest.raises(TransactionEnded):
                storage.bars["late"] = 3

        with pytest.raises(Stop):
            async with storage.transaction():
                task = asyncio.create_task(later())
                storage.bars["early"] = 0
                raise Stop
        ended.set()
        await task
        assert kept(home) == {"later": 2}

    async def test_threads_inside_get_the_same_objects(self, storage: MoobiusStorage) -> None:
        def look_and_append(number: int) -> None:
            storage.bars["ann"].append(number)

        storage.bars["ann"] = []
        async with storage.transaction():
            await asyncio.gather(*(asyncio.to_thread(look_and_append, number) for number in range(20)))
        assert sorted(storage.bars["ann"]) == list(range(20))

    async def test_a_turn_that_is_cancelled_while_waiting_leaves_nothing_behind(self, storage: MoobiusStorage) -> None:
        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"] = 1

        holder = storage.transaction()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(holder.__enter__).result()
            task = asyncio.create_task(transact())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            thread.submit(holder.__exit__, None, None, None).result()
        async with storage.transaction():
            storage.bars["bob"] = 2
        assert storage.bars == {"bob": 2}

    async def test_the_loop_goes_on_while_an_engine_commits(self) -> None:
        storage, (engine,) = recording()
        engine.gate = asyncio.Event()

        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"] = 1

        task = asyncio.create_task(transact())
        for _ in range(5):
            await asyncio.sleep(0)
        assert "ann" not in storage.bars
        engine.gate.set()
        await task
        assert storage.bars["ann"] == 1
        storage.close()


class TestCancellation:
    async def test_inside_rolls_back(self, storage: MoobiusStorage) -> None:
        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"] = 1
                await asyncio.sleep(60)

        task = asyncio.create_task(transact())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert storage.bars == {}
        async with storage.transaction():
            storage.bars["bob"] = 1

    @pytest.mark.parametrize("refuse", [False, True])
    async def test_during_the_commit_memory_shows_what_the_engine_holds(self, refuse: bool) -> None:
        storage, (engine,) = recording()
        storage.bars["ann"] = 0
        engine.gate = asyncio.Event()
        engine.refusal = CommitFailed("disk full") if refuse else None

        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"] = 1
                storage.bars["bob"] = 2

        task = asyncio.create_task(transact())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.01)
        task.cancel()
        assert not task.done()
        engine.gate.set()
        with pytest.raises(CommitFailed if refuse else asyncio.CancelledError):
            await task
        expected = {"ann": 0} if refuse else {"ann": 1, "bob": 2}
        assert engine._kept == expected
        assert storage.bars == expected
        storage.bars["cid"] = 3
        storage.close()

    async def test_during_commits_of_real_engines(self, home: Home) -> None:
        with open_storage(home) as storage:
            for number in range(30):
                async def transact(number: int = number) -> None:
                    async with storage.transaction():
                        storage.bars["n"] = number
                        storage.notes["n"] = number

                task = asyncio.create_task(transact())
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert storage.bars == kept(home) == storage.notes == kept(home, "notes")


class TestFailure:
    @pytest.mark.parametrize("load", [True, False])
    @pytest.mark.parametrize("is_async", [True, False])
    async def test_a_refused_commit_leaves_everything_as_it_was(self, load: bool, is_async: bool) -> None:
        engine = FourMethods("service_1.channel_tavern.bars")
        storage = MoobiusStorage("1", "tavern")
        storage.put("bars", engine, load=load)
        storage.bars.update(ann=1, bob=[2], cid=3)
        engine.broken = {"bob"}
        with pytest.raises(CommitFailed, match="'bob'"):
            if is_async:
                async with storage.transaction():
                    self._change(storage)
            else:
                with storage.transaction():
                    self._change(storage)
        assert storage.bars == engine._kept == {"ann": 1, "bob": [2], "cid": 3}
        engine.broken = set()
        async with storage.transaction():
            self._change(storage)
        assert storage.bars == engine._kept == {"ann": 9, "bob": [2, 5], "dan": 4}
        storage.close()

    @staticmethod
    def _change(storage: MoobiusStorage) -> None:
        storage.bars["ann"] = 9
        del storage.bars["cid"]
        storage.bars["bob"].append(5)
        storage.bars["dan"] = 4

    def test_a_value_that_cannot_be_kept(self, storage: MoobiusStorage, home: Home) -> None:
        storage.bars.update(ann=1, bob=[{"n": 2}])
        with pytest.raises(ValueRefused) as caught, storage.transaction():
            storage.bars["ann"] = 3
            storage.bars["bob"][0]["n"] = object()
        assert caught.value.path == 'bars["bob"][0]["n"]'
        assert storage.bars == kept(home) == {"ann": 1, "bob": [{"n": 2}]}

    def test_any_exception_of_an_engine_is_a_failed_commit(self) -> None:
        storage, (engine,) = recording()
        storage.bars["ann"] = 1
        for failure in (OSError("no"), KeyboardInterrupt(), StorageUnavailable("away")):
            engine.refusal = failure
            with pytest.raises(type(failure)), storage.transaction():
                storage.bars["ann"] = 2
            assert storage.bars == {"ann": 1}
        storage.bars["ann"] = 3
        assert engine._kept == {"ann": 3}
        storage.close()

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_a_later_engine_that_refuses_takes_back_the_earlier_ones(self, is_async: bool) -> None:
        storage, engines = recording("bars", "notes", "log")
        for each in (storage.bars, storage.notes, storage.log):
            each.update(a=1, b=2, c=3, d=4)
        engines[2].refusal = CommitFailed("disk full")
        with pytest.raises(CommitFailed, match="disk full"):
            if is_async:
                async with storage.transaction():
                    self._change_all(storage)
            else:
                with storage.transaction():
                    self._change_all(storage)
        for each, engine in zip((storage.bars, storage.notes, storage.log), engines, strict=True):
            assert list(each.items()) == list(engine._kept.items()) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]
        with storage.transaction():
            self._change_all(storage)
        for each, engine in zip((storage.bars, storage.notes, storage.log), engines, strict=True):
            assert list(each.items()) == list(engine._kept.items()) == [("a", 1), ("c", 9), ("d", 4), ("e", 5), ("b", 6)]
        storage.close()

    @staticmethod
    def _change_all(storage: MoobiusStorage) -> None:
        for each in (storage.bars, storage.notes, storage.log):
            del each["b"]
            each["c"] = 9
            each["e"] = 5
            each["b"] = 6

    def test_engines_are_committed_in_the_order_of_the_config(self) -> None:
        storage, engines = recording("bars", "notes")
        engines[0].refusal = CommitFailed("the first is asked first")
        engines[1].refusal = CommitFailed("the second is asked first")
        with pytest.raises(CommitFailed, match="the first"), storage.transaction():
            storage.notes["ann"] = 1
            storage.bars["ann"] = 1
        storage.close()

    async def test_taking_back_needs_no_knowledge_of_all_keys(self) -> None:
        storage = MoobiusStorage("1", "tavern")
        engines = [Recording("service_1.channel_tavern.bars"), Recording("service_1.channel_tavern.notes")]
        for name, engine in zip(("bars", "notes"), engines, strict=True):
            storage.put(name, engine, load=False)
        storage.bars.update(a=1, b=2, c=3)
        for change in (lambda: storage.bars.pop("a"), lambda: storage.bars.update(b=5), lambda: storage.bars.update(d=6)):
            engines[1].refusal = CommitFailed("disk full")
            with pytest.raises(CommitFailed, match="disk full"):
                async with storage.transaction():
                    change()
                    storage.notes["x"] = 1
            assert storage.bars == engines[0]._kept == {"a": 1, "b": 2, "c": 3}
            assert storage.notes == engines[1]._kept == {}
        storage.close()

    @pytest.mark.parametrize("is_async", [True, False])
    async def test_when_taking_back_fails_too_memory_still_shows_the_engines(self, is_async: bool) -> None:
        storage, (first, second) = recording("bars", "notes")
        storage.bars["ann"] = storage.notes["ann"] = 1
        second.refusal = CommitFailed("disk full")
        original = first.commit_batch

        def commit_then_break(*arguments: Any, **settings: Any) -> None:
            original(*arguments, **settings)
            first.refusal = CommitFailed("disk full")

        first.commit_batch = commit_then_break  # type: ignore[method-assign]
        with pytest.raises(CommitFailed, match="could not be taken back"):
            if is_async:
                async with storage.transaction():
                    storage.bars["ann"] = storage.notes["ann"] = 2
            else:
                with storage.transaction():
                    storage.bars["ann"] = storage.notes["ann"] = 2
        del first.commit_batch
        assert storage.bars == first._kept == {"ann": 2}
        assert storage.notes == second._kept == {"ann": 1}
        storage.close()

    async def test_a_cancellation_between_two_engines_leaves_all_or_nothing(self) -> None:
        storage, (first, second) = recording("bars", "notes")
        first.gate = asyncio.Event()

        async def transact() -> None:
            async with storage.transaction():
                storage.bars["ann"] = storage.notes["ann"] = 1

        task = asyncio.create_task(transact())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)
        first.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert storage.bars == storage.notes == first._kept == second._kept == {}
        storage.close()

    def test_after_close(self, home: Home) -> None:
        storage = open_storage(home)
        transaction = storage.transaction()
        storage.close()
        with pytest.raises(StoreClosed):
            storage.transaction()
        with pytest.raises(StoreClosed), transaction:
            pass

"""What code gets at after its transaction has ended, and at dicts of others during an exclusive one."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import ForeignDict, MoobiusStorage, PredecessorFailed, StorageBusy, StorageError, TransactionEnded
from storage.dicts.peek import peek

REMEDY = "send it an event with ctx.send_to"


def opened(root: Path, channel: str = "tavern") -> MoobiusStorage:
    config: list[dict[str, Any]] = [{"implementation": "json", "name": name, "settings": {"root_dir": str(root)}} for name in ("gold", "notes")]
    return MoobiusStorage("1", channel, [*config, {"implementation": "null", "name": "online"}])


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[MoobiusStorage]:
    with opened(tmp_path) as storage:
        storage.gold.update(ann=10, bob=0)
        storage.notes.update(log=["start"], deep={"a": [1]})
        yield storage


@pytest.fixture
def other(tmp_path: Path) -> Iterator[MoobiusStorage]:
    with opened(tmp_path, "cellar") as other:
        other.gold.update(eve=5)
        other.notes.update(log=["there"])
        yield other


def state_of(*storages: MoobiusStorage) -> list[dict[str, Any]]:
    """What others see, whoever calls this."""
    return contextvars.Context().run(lambda: [each.copy() for storage in storages for each in (storage.gold, storage.notes)])


TOUCHES: list[Callable[[MoobiusStorage], object]] = [
    lambda s: s.gold["ann"],
    lambda s: s.gold.get("ann"),
    lambda s: "ann" in s.gold,
    lambda s: len(s.gold),
    lambda s: list(s.gold),
    lambda s: list(s.gold.items()),
    lambda s: list(s.gold.values()),
    lambda s: s.gold.copy(),
    lambda s: s.gold == {},
    lambda s: peek(s.gold, "ann"),
    lambda s: s.gold.__setitem__("ann", 1),
    lambda s: s.gold.__delitem__("ann"),
    lambda s: s.gold.update(ann=1),
    lambda s: s.gold.setdefault("new", 1),
    lambda s: s.gold.pop("ann"),
    lambda s: s.gold.popitem(),
    lambda s: s.gold.clear(),
    lambda s: s.gold.save("ann"),
    lambda s: s.gold.commit(),
    lambda s: s.commit(),
    lambda s: s.gold.__ior__({"ann": 1}),
]


class Left:
    """A thread that was started in a transaction and goes on after it, as one of a handler that hangs would."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._go = threading.Event()
        self._work = work
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,))
        self._thread.start()

    def _run(self) -> None:
        assert self._go.wait(20)
        try:
            self._work()
        except Exception as error:
            self.error = error

    def go_on(self) -> None:
        self._go.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


class TestAnEndedTransaction:
    @pytest.mark.parametrize("number", range(len(TOUCHES)))
    @pytest.mark.parametrize("overlap", [False, True])
    @pytest.mark.parametrize("committed", [False, True])
    def test_no_dict_of_it_can_be_used(self, storage: MoobiusStorage, number: int, overlap: bool, committed: bool) -> None:
        transaction = storage.transaction(overlap=overlap)
        transaction.__enter__()
        left = Left(lambda: TOUCHES[number](storage))
        transaction.__exit__(*((None, None, None) if committed else (ValueError, ValueError(), None)))
        before = state_of(storage)
        left.go_on()
        assert isinstance(left.error, TransactionEnded), left.error
        assert state_of(storage) == before

    def test_half_of_a_transfer_is_not_kept(self, storage: MoobiusStorage) -> None:
        """The handler gave up after the first half, and its thread went on with the second."""
        with pytest.raises(ValueError, match="gave up"), storage.transaction():
            storage.gold["ann"] -= 10
            left = Left(lambda: storage.gold.__setitem__("bob", 10))
            raise ValueError("gave up")
        left.go_on()
        assert state_of(storage)[0] == {"ann": 10, "bob": 0}

    def test_what_was_handed_out_is_not_saved_any_more(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        for committed in (True, False):
            transaction = storage.transaction()
            transaction.__enter__()
            log, deep, inner = storage.notes["log"], storage.notes["deep"], storage.notes["deep"]["a"]

            def change(log: Any = log, deep: Any = deep, inner: Any = inner) -> None:
                log.append("late")
                deep["late"] = 1
                inner.append("late")

            left = Left(change)
            transaction.__exit__(*((None, None, None) if committed else (ValueError, ValueError(), None)))
            left.go_on()
            assert left.error is None
            storage.commit()
            with storage.transaction():
                storage.gold["ann"] += 1
        storage.close()
        with opened(tmp_path) as again:
            assert again.notes == {"log": ["start"], "deep": {"a": [1]}}
            assert again.gold["ann"] == 12

    def test_an_iteration_that_goes_on_ends_too(self, storage: MoobiusStorage) -> None:
        def all_of_them() -> None:
            for key in ("ann", "bob"):
                items = iter(storage.gold.items())
                next(items)
                next(items)
                raise AssertionError(key)

        with storage.transaction():
            left = Left(all_of_them)
        left.go_on()
        assert isinstance(left.error, TransactionEnded)

    def test_one_of_its_own_helps_as_long_as_it_is_open(self, storage: MoobiusStorage) -> None:
        def own() -> None:
            with storage.transaction():
                storage.gold["bob"] = 7
            with pytest.raises(TransactionEnded):
                storage.gold["bob"] = 8
            with storage.transaction(overlap=True) as transaction:
                storage.gold["ann"] = 6
            assert transaction.outcome is not None
            transaction.outcome.wait(20)

        with storage.transaction():
            left = Left(own)
        left.go_on()
        assert left.error is None
        assert state_of(storage)[0] == {"ann": 6, "bob": 7}

    async def test_a_task_that_outlived_it(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        ended = asyncio.Event()

        async def later() -> str:
            storage.gold["bob"] += 1
            await ended.wait()
            other.gold["eve"] += 1  # dicts of others are no business of it
            try:
                storage.gold["bob"] += 1
            except StorageError as error:
                return str(error)
            return ""

        async with storage.transaction():
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
        ended.set()
        assert "has ended" in await task
        assert (storage.gold["bob"], other.gold["eve"]) == (1, 6)

    def test_whoever_ends_it_is_outside_again(self, storage: MoobiusStorage) -> None:
        with storage.transaction():
            storage.gold["ann"] = 1
        storage.gold["ann"] += 1
        with pytest.raises(ZeroDivisionError), storage.transaction():
            raise ZeroDivisionError
        storage.gold["ann"] += 1
        assert storage.gold["ann"] == 3

    def test_code_that_was_never_inside_goes_on_as_ever(self, storage: MoobiusStorage) -> None:
        go_on, done = threading.Event(), threading.Event()

        def library_user() -> None:
            assert go_on.wait(20)
            storage.gold["bob"] = 3
            storage.notes["log"].append("more")
            storage.commit()
            done.set()

        threading.Thread(target=library_user).start()
        with storage.transaction():
            storage.gold["ann"] = 1
        go_on.set()
        assert done.wait(20)
        assert storage.gold == {"ann": 1, "bob": 3}
        assert storage.notes["log"] == ["start", "more"]


class TestAnExclusiveTransaction:
    @pytest.mark.parametrize("number", range(10, len(TOUCHES)))
    def test_dicts_of_others_cannot_be_changed(self, storage: MoobiusStorage, other: MoobiusStorage, number: int) -> None:
        other.gold["ann"] = 5
        before = state_of(storage, other)
        with pytest.raises(ForeignDict, match=r"ctx\.send_to"), storage.transaction(exclusive=REMEDY):
            storage.gold["ann"] = 1
            TOUCHES[number](other)
        assert state_of(storage, other) == before

    async def test_the_other_way_in(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        before = state_of(other)
        async with storage.transaction(exclusive=REMEDY, overlap=True) as transaction:
            with pytest.raises(ForeignDict, match=r"ctx\.send_to"), other.transaction():
                pass
            with pytest.raises(ForeignDict, match=r"ctx\.send_to"):
                async with other.transaction(overlap=True):
                    pass
            with pytest.raises(ForeignDict):
                await asyncio.to_thread(other.gold.__setitem__, "eve", 1)
            storage.gold["bob"] = other.gold["eve"]
        assert transaction.outcome is not None
        await transaction.outcome
        assert state_of(other) == before
        other.gold["eve"] = 6
        assert (storage.gold["bob"], other.gold["eve"]) == (5, 6)

    @pytest.mark.parametrize("overlap", [False, True])
    @pytest.mark.parametrize("change", [lambda notes: notes["log"].append(1), lambda notes: next(iter(notes.values())).append(1)])
    def test_values_of_others_cannot_be_changed_in_place(
        self, storage: MoobiusStorage, other: MoobiusStorage, change: Callable[[Any], Any], overlap: bool
    ) -> None:
        mine = other.notes["log"]
        before = state_of(storage, other)
        with pytest.raises(ForeignDict, match=r'log"\] was changed.*ctx\.send_to'), storage.transaction(exclusive=REMEDY, overlap=overlap):
            storage.gold["ann"] = 1
            change(other.notes)
        assert state_of(storage, other) == before
        other.commit()
        assert mine == ["there"]
        mine.append("mine")
        other.commit()
        assert state_of(other)[1] == {"log": ["there", "mine"]}

    def test_a_turn_that_only_reads_is_told_too(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        with pytest.raises(ForeignDict), storage.transaction(exclusive=REMEDY):
            other.notes["log"].append(1)

    def test_they_can_be_read(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        with storage.transaction(exclusive=REMEDY):
            assert other.gold["eve"] == 5
            assert other.notes["log"] == ["there"]
            assert other.notes["log"] is other.notes["log"]
            assert list(other.gold.items()) == [("eve", 5)]
            assert other.gold.get("ann") is None
            assert peek(other.notes, "log") == ["there"]
            with pytest.raises(KeyError):
                other.notes["none"]
            storage.notes["copied"] = other.notes["log"]
            storage.notes["copied"].append("here")
        assert storage.notes["copied"] == ["there", "here"]
        assert other.notes["log"] == ["there"]

    def test_only_what_is_durable(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        transaction = other.transaction()
        contextvars.Context().run(transaction.__enter__)
        with storage.transaction(exclusive=REMEDY):
            assert other.gold["eve"] == 5
        transaction.__exit__(None, None, None)

    def test_without_it_nothing_changes(self, storage: MoobiusStorage, other: MoobiusStorage) -> None:
        with storage.transaction():
            other.gold["eve"] = 1
            with other.transaction():
                other.gold["eve"] += 1
        assert other.gold["eve"] == 2


class TestAStorageThatIsMadeInside:
    @pytest.mark.parametrize("exclusive", ["", REMEDY])
    async def test_it_takes_part(self, storage: MoobiusStorage, tmp_path: Path, exclusive: str) -> None:
        def use(*, fails: bool) -> None:
            with opened(tmp_path) as again:
                assert again.gold == {"ann": 11, "bob": 0}
                assert again.online == {"ann": 1}
                again.gold["ann"] += 1
                again.notes["log"].append("inside")
                again.online["ann"] += 1
                again.system("members")["ann"] = {"name": "Ann"}
                with again.transaction("ann", "inner"):
                    again.gold["bob"] += 1
                with again.savepoint():
                    again.gold["bob"] += 1
                again.commit()
                if fails:
                    raise ZeroDivisionError

        storage.system("members")
        storage.online["ann"] = 1
        with pytest.raises(ZeroDivisionError):
            async with storage.transaction(exclusive=exclusive, overlap=True):
                storage.gold["ann"] += 1
                use(fails=True)
        assert state_of(storage) == [{"ann": 10, "bob": 0}, {"log": ["start"], "deep": {"a": [1]}}]
        async with storage.transaction(exclusive=exclusive, overlap=True) as transaction:
            storage.gold["ann"] += 1
            await asyncio.to_thread(use, fails=False)
            assert storage.gold == {"ann": 12, "bob": 2}
        assert transaction.outcome is not None
        await transaction.outcome
        assert storage.gold == {"ann": 12, "bob": 2}
        assert storage.notes["log"] == ["start", "inside"]
        assert storage.online == {"ann": 2}
        assert storage.system("members") == {"ann": {"name": "Ann"}}

    def test_a_clear_of_its_config_is_undone_with_the_rest(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        config = {"implementation": "json", "name": "gold", "settings": {"root_dir": str(tmp_path)}, "clear": True}
        with pytest.raises(ZeroDivisionError), storage.transaction(exclusive=REMEDY):
            with MoobiusStorage("1", "tavern", config) as again:
                assert again.gold == storage.gold == {}
            raise ZeroDivisionError
        assert storage.gold == {"ann": 10, "bob": 0}

    def test_one_of_another_channel_can_only_be_read(self, storage: MoobiusStorage, other: MoobiusStorage, tmp_path: Path) -> None:
        config = {"implementation": "json", "name": "gold", "settings": {"root_dir": str(tmp_path)}, "clear": True}
        with storage.transaction(exclusive=REMEDY):
            with opened(tmp_path, "cellar") as again:
                assert again.gold["eve"] == 5
                with pytest.raises(ForeignDict):
                    again.gold["eve"] = 6
            with pytest.raises(ForeignDict):
                MoobiusStorage("1", "cellar", config)
        assert other.gold == {"eve": 5}

    def test_one_that_was_there_before_takes_part_too(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        with opened(tmp_path) as before:
            unsaved = before.notes["log"]
            unsaved.append("unsaved")
            with storage.transaction(exclusive=REMEDY):
                before.gold["bob"] += 3
                assert storage.gold["bob"] == 3
                with pytest.raises(StorageBusy):
                    before.close()
            assert before.gold["bob"] == 3
            before.commit()
            assert storage.notes["log"] == ["start", "unsaved"]

    async def test_in_one_that_is_doomed(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        assert issubclass(PredecessorFailed, StorageError)
        async with storage.transaction(exclusive=REMEDY, overlap=True) as first:
            storage.gold["ann"] = 1
        async with storage.transaction(exclusive=REMEDY, overlap=True) as second:
            with opened(tmp_path) as again:
                assert again.gold["ann"] == 1  # it sees what is in flight, as the turn does
                again.gold["bob"] = again.gold["ann"]
        for transaction in (first, second):
            assert transaction.outcome is not None
            await transaction.outcome
        assert storage.gold == {"ann": 1, "bob": 1}

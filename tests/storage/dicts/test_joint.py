"""Dicts that several storages use in their transactions at the same time."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from redis import Redis

from storage import ConfigError, MoobiusStorage, PredecessorFailed, TransactionEnded, VersionConflict
from storage.dicts.overlay import Overlay
from storage.dicts.transaction import Transaction
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.errors import CommitFailed
from storage.json.entry import JournalEntry
from storage.json.journal import Journal
from storage.redis.failures import Unanswered


def entry(name: str, root: Path) -> dict[str, Any]:
    return {"implementation": "json", "name": name, "settings": {"root_dir": str(root)}}


def on_redis(name: str, port: int, process: int = 0) -> dict[str, Any]:
    """Settings that differ make another client with other locks and caches, as another process has."""
    return {"implementation": "redis", "name": name, "settings": {"host": "127.0.0.1", "port": port, "timeout": 5.0 + process}}


class Places:
    """Two channels and what they share."""

    def __init__(self, channels: dict[str, Any], shared: dict[str, Any], service_id: str = "1") -> None:
        self.bank = MoobiusStorage(service_id, "bank", shared, variant="store")
        self.tavern = MoobiusStorage(service_id, "tavern", channels)
        self.library = MoobiusStorage(service_id, "library", channels)
        self.tavern.join("gold", self.bank)
        self.library.join("gold", self.bank)

    @classmethod
    def in_folders(cls, root: Path, shared: Path | None = None) -> Places:
        return cls(entry("bars", root), entry("gold", shared or root))

    def close(self) -> None:
        for each in (self.tavern, self.library, self.bank):
            each.close()


KINDS = [
    "same folder",
    "another folder",
    "in memory",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("redis and folder", marks=pytest.mark.redis),
]


@pytest.fixture(params=KINDS)
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    match request.param:
        case "same folder":
            made = Places.in_folders(tmp_path)
        case "another folder":
            made = Places.in_folders(tmp_path, tmp_path / "shared")
        case "in memory":
            made = Places({"implementation": "null", "name": "bars"}, {"implementation": "null", "name": "gold"})
        case kind:
            port = request.getfixturevalue("redis_port")
            channels = on_redis("bars", port) if kind == "redis" else entry("bars", tmp_path)
            made = Places(channels, on_redis("gold", port), uuid.uuid4().hex)
    yield made
    made.close()


def test_changes_are_kept_together_with_those_of_the_channel(places: Places) -> None:
    with places.tavern.transaction():
        places.tavern.bars["ann"] = 80
        places.bank.gold["ann"] = 5
        assert (places.bank.gold["ann"], len(places.bank.gold), list(places.bank.gold.items())) == (5, 1, [("ann", 5)])
        assert _elsewhere(lambda: places.bank.gold.get("ann")) is None
    assert (places.bank.gold["ann"], places.tavern.bars["ann"]) == (5, 80)


def test_what_fails_leaves_nothing_of_them(places: Places) -> None:
    places.bank.gold["ann"] = [1]
    with suppress(ZeroDivisionError), places.tavern.transaction():
        places.bank.gold["ann"].append(2)
        places.bank.gold["bob"] = [3]
        raise ZeroDivisionError
    assert dict(places.bank.gold) == {"ann": [1]}


def test_a_part_that_is_undone_leaves_nothing_of_them(places: Places) -> None:
    with places.tavern.transaction():
        places.bank.gold["ann"] = 1
        with suppress(ZeroDivisionError), places.tavern.savepoint():
            places.bank.gold["ann"] += 1
            places.bank.gold["bob"] = 2
            raise ZeroDivisionError
    assert dict(places.bank.gold) == {"ann": 1}


@pytest.mark.parametrize("looks", ["get", "in", "len", "iteration", "popitem", "blind", "read only", "raises"])
def test_what_others_changed_meanwhile_is_noticed(places: Places, looks: str) -> None:
    gold = places.bank.gold
    gold["ann"] = 1
    paid = "bob" if looks in {"len", "iteration"} else "ann"  # whoever looks at the keys alone is told of keys alone

    def use() -> None:
        match looks:
            case "get" | "read only" | "raises":
                gold.get("ann")
            case "in":
                assert "ann" in gold
            case "len":
                assert len(gold) >= 1
            case "iteration":
                assert list(gold)[:1] == ["ann"]
            case "popitem":
                gold.popitem()
            case _:
                gold["ann"] = 7

    with pytest.raises(VersionConflict, match="gold was changed"), places.tavern.transaction():
        use()
        places.tavern.bars["ann"] = 80
        _pay(places, paid, amount=10)
        if looks == "raises":
            raise KeyError("what it saw was not true, so this is not either")
        if looks != "read only":
            gold["cid"] = 1
    assert dict(gold) == ({"ann": 1, "bob": 10} if paid == "bob" else {"ann": 11})
    assert (places.library.bars[paid], dict(places.tavern.bars)) == (1, {})
    with places.tavern.transaction():
        use()
        gold["cid"] = 1
    assert gold["cid"] == 1


@pytest.mark.parametrize("looks", [list, len])
def test_who_looks_at_all_keys_while_a_commit_is_taken_over_is_told(
    places: Places, monkeypatch: pytest.MonkeyPatch, looks: Callable[[Any], object]
) -> None:
    """The engine has the commit already, the dict not yet."""
    gold = places.bank.gold
    committed, has_looked = threading.Event(), threading.Event()
    apply = Overlay.apply

    def apply_later(self: Overlay) -> None:
        committed.set()
        assert has_looked.wait(60)
        apply(self)

    with pytest.raises(VersionConflict, match="gold was changed"), places.tavern.transaction():
        assert "bob" not in gold  # what is looked at first is looked up if it is behind
        with monkeypatch.context() as patch:
            patch.setattr(Overlay, "apply", apply_later)
            other = threading.Thread(target=_pay, args=(places, "ann"), kwargs={"amount": 10})
            other.start()
            assert committed.wait(60)
            looks(gold)
            has_looked.set()
            other.join()
        gold["cid"] = 1
    assert dict(gold) == {"ann": 10}


def test_keys_that_nobody_looked_at_are_in_nobodys_way(places: Places) -> None:
    with places.tavern.transaction():
        places.bank.gold["ann"] = 1
        _pay(places, "bob", amount=10)
    assert dict(places.bank.gold) == {"bob": 10, "ann": 1}


def test_who_holds_them_cannot_be_overtaken(places: Places) -> None:
    gold = places.bank.gold
    with places.tavern.transaction() as looking:
        gold.get("ann")
    with places.tavern.transaction(again=looking):
        gold["ann"] = gold.get("ann", 0) + 1
        other = threading.Thread(target=_pay, args=(places, "ann"), kwargs={"amount": 10})
        other.start()
        places.tavern.bars["ann"] = 1
    other.join()
    assert gold["ann"] == 11
    with suppress(ZeroDivisionError), places.tavern.transaction(again=looking):
        raise ZeroDivisionError
    _pay(places, "ann", amount=1)  # was let go of


def test_code_that_outlives_the_transaction_is_shut_out(places: Places) -> None:
    may_go = threading.Event()
    found: list[object] = []

    async def late() -> None:
        await asyncio.to_thread(may_go.wait)
        try:
            places.bank.gold["ann"] = 1
        except TransactionEnded as error:
            found.append(error)

    async def run() -> None:
        async with places.tavern.transaction():
            task = asyncio.create_task(late())
        may_go.set()
        await task

    asyncio.run(run())
    assert len(found) == 1
    assert not places.bank.gold


async def test_overlapping_transactions_keep_their_order_and_wait_for_what_is_on_its_way(tmp_path: Path) -> None:
    places = Places.in_folders(tmp_path)
    outcomes = []
    for number in range(20):
        for storage in (places.tavern, places.library):
            transaction = None
            for _ in range(2):
                with suppress(VersionConflict):
                    transaction = storage.transaction(overlap=True, again=transaction)
                    async with transaction:
                        storage.bars["ann"] = number
                        places.bank.gold["ann"] = places.bank.gold.get("ann", 0) + 1
                    outcomes.append(transaction.outcome)
                    break
    for outcome in outcomes:
        assert outcome is not None
        await outcome
    places.close()
    again = Places.in_folders(tmp_path)
    assert (len(outcomes), again.bank.gold["ann"], again.library.bars["ann"]) == (40, 40, 19)
    again.close()


async def test_a_commit_that_fails_leaves_nothing_and_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places.in_folders(tmp_path)
    places.bank.gold["ann"] = 1

    with monkeypatch.context() as patch:
        may_go = threading.Event()
        patch.setattr("storage.json.journal.Journal.commit_all", lambda self, entries: _refuse(entries, may_go))
        async with places.tavern.transaction(overlap=True) as first:
            places.bank.gold["ann"] += 1
        async with places.tavern.transaction(overlap=True) as second:
            places.tavern.bars["ann"] = 1
        may_go.set()
        assert first.outcome is not None
        assert second.outcome is not None
        with pytest.raises(Exception, match="no room"):
            await first.outcome
        with pytest.raises(PredecessorFailed):
            await second.outcome
    assert places.bank.gold["ann"] == 1
    async with places.library.transaction(overlap=True) as third:
        places.bank.gold["ann"] += 1
    assert third.outcome is not None
    await third.outcome
    assert places.bank.gold["ann"] == 2
    places.close()


async def test_nothing_is_built_on_one_that_is_to_be_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs it again runs those after it again as well, so none of these may have been committed."""
    places = Places.in_folders(tmp_path)
    may_go, has_begun = threading.Event(), False
    commit_all = Journal.commit_all

    def held_back(self: Journal, entries: list[JournalEntry]) -> None:
        assert may_go.wait(60)
        commit_all(self, entries)

    async def third() -> bool:
        nonlocal has_begun
        async with places.tavern.transaction(overlap=True) as transaction:
            has_begun = True
            return transaction.is_fresh

    monkeypatch.setattr(Journal, "commit_all", held_back)
    async with places.tavern.transaction(overlap=True) as first:
        places.tavern.bars["ann"] = 1
    second = places.tavern.transaction(overlap=True)
    with pytest.raises(VersionConflict):
        async with second:
            places.bank.gold["ann"] = places.bank.gold.get("ann", 0) + 1
            _elsewhere(lambda: places.bank.gold.update(ann=9))
    waiting = asyncio.create_task(third())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not has_begun
    may_go.set()
    assert await waiting
    assert first.outcome is not None
    assert second.outcome is not None
    assert first.outcome.exception() is None
    assert isinstance(second.outcome.exception(), VersionConflict)
    places.close()


def _refuse(entries: list[JournalEntry], may_go: threading.Event) -> None:
    assert may_go.wait(60)
    for each in entries:
        each.cause = OSError("no room")


@pytest.mark.parametrize("seed", range(6))
def test_many_channels_at_once_lose_nothing_and_come_to_an_end(places: Places, seed: int) -> None:
    """Money goes to and fro between accounts, by key and by looking at all; the sum stays, and each channel counts its own."""
    for name in "abcd":
        places.bank.gold[name] = 100
    failures: list[BaseException] = []

    def work(storage: MoobiusStorage, number: int) -> None:
        random = Random(f"{seed} {number}")
        try:
            for _ in range(25):
                source, target = random.sample("abcd", 2)
                transaction = storage.transaction()
                while True:
                    try:
                        with transaction:
                            if random.random() < 0.2:
                                assert sum(places.bank.gold.values()) == 400
                            places.bank.gold[source] -= 1
                            places.bank.gold[target] += 1
                            storage.bars["moved"] = storage.bars.get("moved", 0) + 1
                        break
                    except VersionConflict:
                        transaction = storage.transaction(again=transaction)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(storage, number)) for number, storage in enumerate((places.tavern, places.library) * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sum(places.bank.gold.values()) == 400
    assert (places.tavern.bars["moved"], places.library.bars["moved"]) == (50, 50)


class Died(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("after", range(1, 5))
def test_a_crash_leaves_all_or_nothing_and_undoes_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, done: bool) -> None:
    """Over two folders. What one channel left half done is finished when it is opened, and others may have paid in meanwhile."""
    places = Places.in_folders(tmp_path / "data", tmp_path / "shared")
    places.bank.gold["ann"] = 1
    calls = 0
    commit = TwoPhaseCommit._commit

    def dies(self: TwoPhaseCommit, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > after or (calls == after and not done):
            raise Died
        commit(self, *arguments)
        if calls == after:
            raise Died

    with monkeypatch.context() as patch:
        patch.setattr(TwoPhaseCommit, "_commit", dies)
        with suppress(Died), places.tavern.transaction():
            places.tavern.bars["ann"] = 80
            places.bank.gold["ann"] += 1
    places.close()
    bank, library = MoobiusStorage("1", "bank", entry("gold", tmp_path / "shared"), variant="store"), None
    paid = bank.gold["ann"] - 1
    library = MoobiusStorage("1", "library", entry("bars", tmp_path / "data"))
    library.join("gold", bank)
    with library.transaction():
        bank.gold["ann"] += 10
        library.bars["ann"] = 1
    with MoobiusStorage("1", "tavern", entry("bars", tmp_path / "data")) as tavern:
        tavern.join("gold", bank)
        tavern.settle()
        assert (bank.gold["ann"], tavern.bars.get("ann")) == (11 + paid, 80 if paid else None)
    library.close()
    bank.close()


@pytest.mark.parametrize("done", [False, True])
def test_what_is_left_of_a_commit_to_a_declared_dict_is_finished_once_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    config = [entry("bars", tmp_path / "data"), entry("*", tmp_path / "other")]
    commit = TwoPhaseCommit._commit
    calls = 0

    def dies(self: TwoPhaseCommit, *arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 2 or (calls == 2 and not done):
            raise Died
        commit(self, *arguments)

    with MoobiusStorage("1", "tavern", config) as storage:
        praises = storage.declare("praise.praises")
        with monkeypatch.context() as patch:
            patch.setattr(TwoPhaseCommit, "_commit", dies)
            with suppress(Died), storage.transaction():
                storage.bars["ann"] = 1
                praises["ann"] = 1
    with MoobiusStorage("1", "tavern", config) as storage:
        praises = storage.declare("praise.praises")
        storage.settle()
        assert (storage.bars.get("ann"), praises.get("ann")) == ((1, 1) if done else (None, None))
        kinds = [finding.kind for finding in storage.report if finding.kind in {"finished", "undone", "note"}]
        assert kinds == ["finished" if done else "undone"]


def test_two_places_for_joint_dicts_are_refused(tmp_path: Path) -> None:
    with MoobiusStorage("1", "tavern", entry("bars", tmp_path / "data")) as tavern:
        for name in ("one", "two"):
            shared = MoobiusStorage("1", name, entry(name, tmp_path / name), variant="store")
            if name == "one":
                tavern.join(name, shared)
            else:
                with pytest.raises(ConfigError, match="elsewhere"):
                    tavern.join(name, shared)
            shared.close()


@pytest.mark.redis
async def test_two_processes_on_one_server_lose_nothing(redis_port: int) -> None:
    service_id = uuid.uuid4().hex
    processes = [Places(on_redis("bars", redis_port, n), on_redis("gold", redis_port, n), service_id) for n in range(2)]
    for each in processes:
        each.bank.follow(lambda: None)
        each.tavern.follow(lambda: None)

    async def work(process: Places) -> int:
        conflicts = 0
        for _ in range(40):
            transaction: Transaction | None = None
            while True:
                transaction = process.tavern.transaction(overlap=True, again=transaction)
                try:
                    async with transaction:
                        process.tavern.bars["count"] = process.tavern.bars.get("count", 0) + 1
                        process.bank.gold["ann"] = process.bank.gold.get("ann", 0) + 1
                    assert transaction.outcome is not None
                    await transaction.outcome
                    break
                except VersionConflict:
                    conflicts += 1
        return conflicts

    conflicts = await asyncio.gather(*(work(each) for each in processes))
    assert sum(conflicts) > 0, "they never met, so nothing was tried"
    fresh = Places(on_redis("bars", redis_port, 9), on_redis("gold", redis_port, 9), service_id)
    assert (fresh.tavern.bars["count"], fresh.bank.gold["ann"]) == (80, 80)
    for each in (fresh, *processes):
        each.close()


@pytest.mark.redis
@pytest.mark.parametrize("lost", ["before", "after"])
async def test_an_answer_that_gets_lost_is_asked_for_and_applied_once(redis_port: int, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    places = Places(on_redis("bars", redis_port), on_redis("gold", redis_port), uuid.uuid4().hex)
    places.bank.gold["ann"] = 1
    engine: Any = places.tavern.bars.database
    run_all, calls = engine._client.run_all, []

    def lossy(requests: Any) -> Any:
        calls.append(len(requests))
        if len(calls) > 1:
            return run_all(requests)
        if lost == "after":
            run_all(requests)
        return [Unanswered("no answer came")] * len(requests)

    monkeypatch.setattr(engine._client, "run_all", lossy)
    async with places.tavern.transaction(overlap=True) as transaction:
        places.tavern.bars["ann"] = 80
        places.bank.gold["ann"] += 1
    assert transaction.outcome is not None
    await transaction.outcome
    assert len(calls) == 2
    with places.library.transaction():
        places.bank.gold["ann"] += 1
        places.library.bars["ann"] = 1
    assert (places.bank.gold["ann"], places.tavern.bars["ann"]) == (3, 80)
    places.close()


@pytest.mark.redis
@pytest.mark.parametrize("what", ["stream", "hash", "record"])
def test_what_is_broken_in_the_server_costs_neither_half(redis_port: int, what: str) -> None:
    """Whatever keeps a joint dict from taking its part, the channel does not keep its own either."""
    service_id = uuid.uuid4().hex
    places = Places(on_redis("bars", redis_port), on_redis("gold", redis_port), service_id)
    for place in (places.tavern, places.library):
        with place.transaction():
            places.bank.gold["ann"] = places.bank.gold.get("ann", 0) + 1
            place.bars["ann"] = 1
    with Redis(port=redis_port) as server:
        (stream,) = server.scan_iter(f"*{service_id}*bank*$stream")
        prefix = stream.removesuffix(b"$stream")
        match what:
            case "stream":
                server.xadd(stream, {"i": "foreign"}, id="9999999999999999-1")
            case "hash":
                server.rename(prefix + b"gold", prefix + b"kept")
                server.set(prefix + b"gold", "a text")
            case "record":
                server.hdel(prefix + b"$version", "newest")
    try:
        for _ in range(3):
            try:
                with places.tavern.transaction():
                    places.bank.gold["ann"] += 1
                    places.tavern.bars["ann"] = 2
            except VersionConflict:
                continue
            break
    except CommitFailed as error:
        assert (what, "is not a dict of ours" in str(error)) == ("hash", True)
        assert places.tavern.bars["ann"] == 1
    else:
        assert what != "hash"
        assert (places.bank.gold["ann"], places.tavern.bars["ann"]) == (3, 2)
    places.close()


@pytest.mark.redis
def test_two_slots_of_a_cluster_cannot_commit_together() -> None:
    def entries(name: str) -> dict[str, Any]:
        return {"implementation": "redis", "name": name, "settings": {"url": "redis+cluster://127.0.0.1:1"}, "load": False}

    bank, tavern = MoobiusStorage("1", "bank", entries("gold"), variant="store"), MoobiusStorage("1", "tavern", entries("bars"))
    with pytest.raises(ConfigError, match="in a Redis cluster no dict can be used by several channels"):
        tavern.join("gold", bank)


def _pay(places: Places, name: str, *, amount: int) -> None:
    """A transaction of the other channel, from outside of all others."""

    def pay() -> None:
        transaction = places.library.transaction()
        while True:
            with suppress(VersionConflict), transaction:
                places.bank.gold[name] = places.bank.gold.get(name, 0) + amount
                places.library.bars[name] = places.library.bars.get(name, 0) + 1
                return
            transaction = places.library.transaction(again=transaction)

    _elsewhere(pay)


def _elsewhere(work: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]

"""Dicts that several storages use in their transactions at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from storage import ConfigError, MoobiusStorage, PredecessorFailed, TransactionEnded, VersionConflict
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.json.entry import JournalEntry


def entry(name: str, root: Path) -> dict[str, Any]:
    return {"implementation": "json", "name": name, "settings": {"root_dir": str(root)}}


class Places:
    """Two channels and what they share."""

    def __init__(self, root: Path, shared: Path | None = None) -> None:
        self.bank = MoobiusStorage("1", "bank", entry("gold", shared or root), variant="store")
        self.tavern = MoobiusStorage("1", "tavern", entry("bars", root))
        self.library = MoobiusStorage("1", "library", entry("bars", root))
        self.tavern.join("gold", self.bank)
        self.library.join("gold", self.bank)

    def close(self) -> None:
        for each in (self.tavern, self.library, self.bank):
            each.close()


@pytest.fixture(params=["same folder", "another folder"])
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    made = Places(tmp_path / "data", tmp_path / "shared" if request.param == "another folder" else None)
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

    def use() -> None:
        match looks:
            case "get" | "read only" | "raises":
                gold.get("ann")
            case "in":
                assert "ann" in gold
            case "len":
                assert len(gold) == 1
            case "iteration":
                assert list(gold) == ["ann"]
            case "popitem":
                gold.popitem()
            case _:
                gold["ann"] = 7

    with pytest.raises(VersionConflict, match="gold was changed"), places.tavern.transaction():
        use()
        places.tavern.bars["ann"] = 80
        _pay(places, "ann", amount=10)
        if looks == "raises":
            raise KeyError("what it saw was not true, so this is not either")
        if looks != "read only":
            gold["cid"] = 1
    assert (gold["ann"], places.library.bars["ann"], dict(places.tavern.bars)) == (11, 1, {})
    with places.tavern.transaction():
        use()
        gold["cid"] = 1
    assert gold["cid"] == 1


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
    places = Places(tmp_path)
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
    again = Places(tmp_path)
    assert (len(outcomes), again.bank.gold["ann"], again.library.bars["ann"]) == (40, 40, 19)
    again.close()


async def test_a_commit_that_fails_leaves_nothing_and_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(tmp_path)
    places.bank.gold["ann"] = 1

    with monkeypatch.context() as patch:
        patch.setattr("storage.json.journal.Journal.commit_all", lambda self, entries: _refuse(entries))
        async with places.tavern.transaction(overlap=True) as first:
            places.bank.gold["ann"] += 1
        async with places.tavern.transaction(overlap=True) as second:
            places.tavern.bars["ann"] = 1
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


def _refuse(entries: list[JournalEntry]) -> None:
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
    places = Places(tmp_path / "data", tmp_path / "shared")
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

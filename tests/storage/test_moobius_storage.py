"""MoobiusStorage: its dicts, their names and domains, `load`, `clear`, the report and the end."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import moobius_storage
from storage.cleared_backups import cleared_dicts, put_back, read_cleared
from storage.dicts import locks as locks_module
from storage.dicts.cached_dict import CachedDict
from storage.domain_lock import DomainLock
from storage.errors import CommitFailed, ConfigError, StorageBusy, StorageError, StoreClosed
from storage.json.database import JSONDatabase
from storage.moobius_storage import MoobiusStorage
from storage.null.database import NullDatabase
from tests.storage.engines_for_tests import FourMethods


def entry(root: Path, name: str = "bars", **more: Any) -> dict[str, Any]:
    return {"implementation": "json", "name": name, "settings": {"root_dir": str(root)}, **more}


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.parent.name != "retained")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[MoobiusStorage]:
    with MoobiusStorage("1", "tavern", [entry(tmp_path), {"implementation": "null", "name": "sessions"}]) as made:
        yield made


class TestDicts:
    def test_one_attribute_per_entry(self, storage: MoobiusStorage) -> None:
        assert storage.names() == ("bars", "sessions")
        assert isinstance(storage.bars, CachedDict)
        assert isinstance(storage.bars.database, JSONDatabase)
        assert isinstance(storage.sessions.database, NullDatabase)
        assert storage.bars.database.domain == "service_1.channel_tavern.bars"
        assert {"bars", "sessions", "transaction"} <= set(dir(storage))

    def test_a_wrong_name_gets_the_nearest(self, storage: MoobiusStorage) -> None:
        with pytest.raises(AttributeError, match='did you mean "sessions"'):
            storage.session  # noqa: B018
        with pytest.raises(AttributeError, match="bars, sessions"):
            storage.xyzzy  # noqa: B018
        assert not hasattr(storage, "_hidden")

    def test_a_dict_cannot_be_replaced_by_accident(self, storage: MoobiusStorage) -> None:
        with pytest.raises(AttributeError, match="update"):
            storage.bars = {}
        storage.bars |= {"ann": 1}
        assert storage.bars == {"ann": 1}
        storage.note = "mine"
        assert storage.note == "mine"

    def test_add_container(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        storage.add_container("JSONDatabase", {"root_dir": str(tmp_path)}, "mana", load=False)
        storage.mana["ann"] = 1
        with storage.transaction():
            storage.mana["ann"] = storage.bars["ann"] = 2
        assert storage.mana.database.get_value("ann") == (True, 2)

    def test_put(self, storage: MoobiusStorage) -> None:
        engine = FourMethods("anything")
        engine.set_value("ann", 1)
        storage.put("mine", engine)
        assert storage.mine == {"ann": 1}

    def test_put_refuses_the_same_data_twice(self, storage: MoobiusStorage, tmp_path: Path) -> None:
        again = JSONDatabase("service_1.channel_tavern.bars", str(tmp_path))
        with pytest.raises(StorageError, match="same data as the dict bars"):
            storage.put("again", again)
        again.close()
        assert storage.names() == ("bars", "sessions")

    @pytest.mark.parametrize("name", ["bars", "close", "names", "service_id", "report", "_states", "class", "a b"])
    def test_names_that_are_refused(self, storage: MoobiusStorage, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConfigError):
            storage.add_container("json", {"root_dir": str(tmp_path)}, name)
        with pytest.raises(ConfigError):
            storage.put(name, FourMethods("anything"))
        assert storage.names() == ("bars", "sessions")

    def test_none_can_be_added_inside_a_transaction(self, storage: MoobiusStorage) -> None:
        with storage.transaction(), pytest.raises(StorageError, match="inside a transaction"):
            storage.put("mine", FourMethods("anything"))

    def test_ids_never_meet(self, tmp_path: Path) -> None:
        channels = ("a.b", "a%2Eb", "a/b", "../b", "A.b", "", "\ud800", "é" * 300)
        ids = [("1.channel_a", "b"), ("", "1"), *(("1", channel) for channel in channels)]
        opened = [MoobiusStorage(service, channel, entry(tmp_path / "db")) for service, channel in ids]
        for number, each in enumerate(opened):
            each.bars["n"] = number
        for each in opened:
            each.close()
        for number, (service, channel) in enumerate(ids):
            with MoobiusStorage(service, channel, entry(tmp_path / "db")) as again:
                assert again.bars == {"n": number}
        assert [path.name for path in tmp_path.iterdir()] == ["db"]

    def test_all_is_there_again(self, tmp_path: Path) -> None:
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            storage.bars["ann"] = [1]
            storage.bars["ann"].append(2)
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            assert storage.bars == {"ann": [1, 2]}
        assert files(tmp_path) == ["service_1/channel_tavern/bars.json"]


class TestConstruction:
    def test_faults_of_the_config(self) -> None:
        with pytest.raises(ConfigError) as caught:
            MoobiusStorage("1", "tavern", [{"implementation": "json", "name": "transaction"}, {"implementation": "json"}])
        assert len(caught.value.faults) == 2

    def test_halfway_closes_what_was_opened(self, tmp_path: Path) -> None:
        taken = tmp_path / "file"
        taken.write_text("no folder")
        with pytest.raises(StorageError):
            MoobiusStorage("1", "tavern", [entry(tmp_path / "db"), entry(taken, "mana")])
        assert files(tmp_path) == ["file"]

    def test_an_engine_that_cannot_be_loaded_is_closed(self, tmp_path: Path) -> None:
        class Unloadable(FourMethods):
            closed = False

            def load_all(self) -> Any:
                raise StorageError("cannot be loaded")

            def close(self) -> None:
                self.closed = True

        storage = MoobiusStorage("1", "tavern")
        with pytest.raises(StorageError, match="cannot be loaded"):
            storage.put("bars", Unloadable("anything"))
        assert storage.names() == ()
        storage.close()


class TestLoad:
    @pytest.mark.parametrize("load", [True, False])
    def test_says_who_answers(self, load: bool) -> None:
        engine = FourMethods("anything")
        engine.set_value("ann", 1)
        storage = MoobiusStorage("1", "tavern")
        storage.put("bars", engine, load=load)
        engine.set_value("bob", 2)
        assert storage.bars == ({"ann": 1} if load else {"ann": 1, "bob": 2})
        storage.close()


class TestDurability:
    @pytest.mark.parametrize(("durability", "single", "together"), [("commit", 0, 1), ("always", 1, 1), ("never", 0, 0)])
    async def test_says_what_waits_for_the_disk(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, single: int, together: int
    ) -> None:
        synced: list[int] = []
        monkeypatch.setattr("storage.files._sync_data", synced.append)
        settings = {"root_dir": str(tmp_path), "durability": durability}
        with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": settings}) as storage:

            def added() -> int:
                count = len(synced)
                synced.clear()
                return count

            storage.bars["ann"] = 0
            added()
            storage.bars["ann"] = 1
            assert added() == single
            storage.bars.update(ann=2, bob=3)
            assert added() == single
            del storage.bars["bob"]
            assert added() == single
            with storage.transaction():
                storage.bars["ann"] = 3
                storage.bars["bob"] = 3
            assert added() == together
            async with storage.transaction(member="ann"):
                storage.bars["ann"] = 4
            assert added() == together


class FailsToCommit(JSONDatabase):
    def commit_batch(self, batch: object, origin: object, *, sync: bool) -> None:
        raise CommitFailed("the disk of this test is full")


class TestClear:
    def test_keeps_what_it_removes_over_clean_closes(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with MoobiusStorage("1", "tavern", [entry(tmp_path), entry(tmp_path, "mana")]) as storage:
            storage.bars.update(ann=1, bob={"hp": 2})
            storage.mana["ann"] = 3
        with caplog.at_level(logging.WARNING), MoobiusStorage("1", "tavern", [entry(tmp_path, clear=True), entry(tmp_path, "mana")]) as storage:
            assert storage.bars == {}
            assert storage.mana == {"ann": 3}
            (finding,) = [finding for finding in storage.report if finding.kind == "cleared"]
            assert finding.domain == "service_1.channel_tavern.bars"
            assert "2 keys" in finding.reason
            assert finding.kept is not None
            kept = Path(finding.kept)
            assert kept.parent == tmp_path / "cleared"
            content = json.loads(kept.read_text())
            assert (content["ann"], content["bob"]) == (1, {"hp": 2})
            assert "cleared 2 keys" in caplog.text
            assert "service_1.channel_tavern.bars" in caplog.text
            assert finding.kept in caplog.text
            storage.bars["cid"] = 4
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            assert storage.bars == {"cid": 4}
        left = ["service_1/channel_tavern/bars.json", "service_1/channel_tavern/mana.json"]
        assert files(tmp_path) == [str(kept.relative_to(tmp_path)), *left]

    def test_keeps_the_newest_few_of_each_dict_and_so_many_bytes_of_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def cleared(number: int, name: str = "bars") -> None:
            with MoobiusStorage("1", "tavern", entry(tmp_path, name)) as storage:
                getattr(storage, name)["number"] = number
            with MoobiusStorage("1", "tavern", entry(tmp_path, name, clear=True)):
                pass

        def kept() -> list[tuple[str, int]]:
            found = [json.loads(path.read_text()) for path in sorted((tmp_path / "cleared").iterdir())]
            return [(content["$mooring"]["domain"].rpartition(".")[2], content["number"]) for content in found]

        cleared(0, "mana")
        for number in range(8):
            cleared(number)
        assert kept() == [("mana", 0), *(("bars", number) for number in range(3, 8))]
        size = (tmp_path / "cleared" / sorted(path.name for path in (tmp_path / "cleared").iterdir())[-1]).stat().st_size
        monkeypatch.setattr("storage.cleared_backups._KEPT_BYTES", 3 * size)
        cleared(8)
        assert kept() == [("bars", 6), ("bars", 7), ("bars", 8)]
        monkeypatch.setattr("storage.cleared_backups._KEPT_BYTES", 1)
        cleared(9)
        assert kept() == [("bars", 9)], "the newest stays, whatever its size"

    def test_what_it_kept_can_be_put_back(self, tmp_path: Path) -> None:
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            storage.bars.update(ann=1, tags={1, 2})
        storage = MoobiusStorage("1", "tavern", entry(tmp_path, clear=True))
        kept = Path(str(storage.report[-1].kept)).read_bytes()
        storage.close()
        (tmp_path / "service_1" / "channel_tavern" / "bars.json").write_bytes(kept)
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            assert storage.bars == {"ann": 1, "tags": {1, 2}}

    @pytest.mark.parametrize("load", [True, False])
    def test_of_an_engine_without_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: bool) -> None:
        monkeypatch.chdir(tmp_path)
        engine = FourMethods("service_1.channel_tavern.bars")
        engine.set_value("ann", [1])
        storage = MoobiusStorage("1", "tavern")
        storage.put("bars", engine, load=load, clear=True)
        assert list(engine.all_keys()) == list(storage.bars) == []
        (kept,) = (tmp_path / "mooring_cleared" / "cleared").iterdir()
        assert json.loads(kept.read_text())["ann"] == [1]
        storage.close()
        assert kept.exists()

    def test_nothing_to_remove(self, tmp_path: Path) -> None:
        with MoobiusStorage("1", "tavern", entry(tmp_path, clear=True)) as storage:
            assert storage.report == []
            assert not (tmp_path / "cleared").exists()

    def test_the_oldest_copy_is_there_until_it_is_back(self, tmp_path: Path) -> None:
        for number in range(5):
            with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
                storage.bars["number"] = number
            with MoobiusStorage("1", "tavern", entry(tmp_path, clear=True)):
                pass
        oldest = cleared_dicts(tmp_path)[-1]
        engine = FailsToCommit("service_1.channel_tavern.bars", root_dir=str(tmp_path))
        engine.set_value("number", 5)
        with pytest.raises(CommitFailed):
            put_back(oldest, engine, tmp_path)
        engine.close()
        assert read_cleared(oldest.path).texts == oldest.texts

    def test_nothing_is_removed_that_could_not_be_kept(self, tmp_path: Path) -> None:
        engine = FourMethods("service_1.channel_tavern.bars")
        engine.set_value("ann", [1])
        (tmp_path / "cleared").write_text("in the way")
        from storage.cleared_backups import clear

        with pytest.raises(OSError, match="cleared"):
            clear(engine, tmp_path)
        assert list(engine.all_keys()) == ["ann"]

    def test_a_value_that_cannot_be_read_is_not_removed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        engine = FourMethods("service_1.channel_tavern.bars")
        engine.set_value("ann", [1])
        engine.set_value("bob", object())
        storage = MoobiusStorage("1", "tavern")
        storage.put("bars", engine, clear=True)
        assert list(engine.all_keys()) == ["bob"]
        storage.close()


class TestSystem:
    def test_lives_beside_the_first_entry_that_keeps_its_data(self, tmp_path: Path) -> None:
        config = [{"implementation": "null", "name": "sessions"}, entry(tmp_path, clear=True), entry(tmp_path / "other", "mana")]
        with MoobiusStorage("1", "tavern", config) as storage:
            handled = storage.system("handled")
            assert storage.system("handled") is handled
            assert handled.database.domain == "service_1.channel_tavern._handled"
            with pytest.raises(ZeroDivisionError), storage.transaction():
                handled["e1"] = storage.bars["ann"] = 1
                1 / 0  # noqa: B018
            assert handled == storage.bars == {}
            with storage.transaction():
                handled["e2"] = storage.bars["ann"] = 2
            assert storage.names() == ("sessions", "bars", "mana")
        with MoobiusStorage("1", "tavern", config) as storage:
            assert storage.bars == {}
            assert storage.system("handled") == {"e2": 2}
        assert "service_1/channel_tavern/_handled.json" in files(tmp_path)

    def test_lives_in_memory_when_nothing_is_kept(self) -> None:
        with MoobiusStorage("1", "tavern", {"implementation": "null", "name": "sessions"}) as storage:
            storage.system("handled")["e1"] = 1
            assert isinstance(storage.system("handled").database, NullDatabase)


class TestTheEnd:
    def test_saves_closes_and_may_come_twice(self, tmp_path: Path) -> None:
        storage = MoobiusStorage("1", "tavern", entry(tmp_path))
        bars = storage.bars
        bars["ann"] = []
        bars["ann"].append(1)
        storage.close()
        storage.close()
        grow = (lambda: storage.system("x"), lambda: storage.put("x", FourMethods("x")))
        for use in (storage.transaction, lambda: bars["ann"], storage.commit, *grow):
            with pytest.raises(StoreClosed):
                use()
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as again:
            assert again.bars == {"ann": [1]}

    def test_inside_a_transaction_is_refused(self, storage: MoobiusStorage) -> None:
        with storage.transaction():
            storage.bars["ann"] = 1
            with pytest.raises(StorageBusy):
                storage.close()
        assert storage.bars == {"ann": 1}

    def test_an_engine_that_refuses_keeps_no_other_open(self) -> None:
        closed: list[str] = []

        class Noting(FourMethods):
            def close(self) -> None:
                closed.append(self.domain)

        storage = MoobiusStorage("1", "tavern")
        engines = [Noting("one"), Noting("two")]
        storage.put("one", engines[0])
        storage.put("two", engines[1])
        storage.one["ann"], storage.two["ann"] = [], []
        storage.one["ann"].append(1)
        storage.two["ann"].append(2)
        engines[0].broken = {"ann"}
        with pytest.raises(CommitFailed, match="'ann'"):
            storage.close()
        assert closed == ["one", "two"]
        assert engines[1].get_value("ann") == (True, [2])
        storage.close()

    def test_with_an_exception_inside_the_block(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            storage.bars["ann"] = 1
            1 / 0  # noqa: B018
        with MoobiusStorage("1", "tavern", entry(tmp_path)) as storage:
            assert storage.bars == {"ann": 1}



def test_a_dict_that_was_removed_comes_back_as_it_was(tmp_path: Path) -> None:
    entry: dict[str, Any] = {"implementation": "json", "name": "bars", "settings": {"root_dir": str(tmp_path)}}
    with MoobiusStorage("1", "tavern", [entry]) as storage:
        with storage.transaction():
            storage.bars["ann"] = 80
            del storage.bars
            assert storage.names() == ()
            with pytest.raises(AttributeError, match="there is no dict 'bars'"):
                storage.bars["ann"]
            storage.add_container(**entry, load=True, clear=False)
            assert storage.bars == {"ann": 80}
        delattr(storage, "bars")
        with pytest.raises(StorageError, match="can come back as what it was"):
            storage.add_container("null", {}, "bars")
        storage.add_container(**entry)
    with MoobiusStorage("1", "tavern", [entry]) as storage:
        assert {name: value for name, value in vars(storage).items() if type(value) is CachedDict} == {"bars": {"ann": 80}}


def test_opening_costs_what_the_storage_holds_and_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_so_often: list[object] = []
    registered: list[object] = []

    def in_order(locks: Iterable[DomainLock]) -> tuple[DomainLock, ...]:
        sorted_so_often.append(1)
        return locks_module.in_order(locks)

    monkeypatch.setattr(moobius_storage, "in_order", in_order)
    monkeypatch.setattr(atexit, "register", registered.append)
    entries = [{"implementation": "json", "name": f"dict_{number}", "settings": {"root_dir": str(tmp_path)}} for number in range(50)]
    with MoobiusStorage("1", "tavern", entries) as storage:
        for number in range(20):
            storage.system(f"system_{number}")
        assert len(sorted_so_often) <= 2 + 20, "once for all dicts of the config, whose number it grows with"
        assert len(registered) == 1
        with storage.transaction():
            storage.dict_7["ann"] = storage.system("system_3")["ann"] = 1
        with pytest.raises(StorageError, match="the same data as the dict dict_7"):
            storage.put("other", JSONDatabase("service_1.channel_tavern.dict_7", root_dir=str(tmp_path)))

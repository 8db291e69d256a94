"""CachedDict: a dict in all it does, over every engine that keeps its data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from storage.database_interface import DomainChanges, Origin
from storage.dicts.cached_dict import CachedDict
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import CommitFailed, KeyRefused, StorageBusy, StorageUnavailable, StoreClosed, UnreadableValue, ValueRefused
from storage.json.database import JSONDatabase
from storage.null.database import NullDatabase
from tests.storage.engines_for_tests import FourMethods
from tests.storage.homes_for_tests import HOMES, Home, Recording, make_home


@codec.register(name="test_cached_dict.Hero")
@dataclass
class Hero:
    hp: int
    items: list[str]


class Colour(StrEnum):
    RED = "red"


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path, redis_port: int) -> Home:
    return make_home(request.param, tmp_path, redis_port)


@pytest.fixture(params=["loaded", "not loaded"])
def bars(request: pytest.FixtureRequest, home: Home) -> Iterator[CachedDict]:
    made = CachedDict(home())
    if request.param == "loaded":
        made.load()
    yield made
    made.close()


def kept(home: Home, name: str = "bars") -> dict[str, Any]:
    """What another object finds in the engine."""
    other = CachedDict(home(name))
    other.load()
    content = other.copy()
    other.close()
    return content


class TestLikeADict:
    def test_set_get_delete(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = 80
        bars["bob"] = {"hp": [1, 2]}
        assert bars["ann"] == 80
        assert bars.get("bob") == {"hp": [1, 2]}
        assert kept(home) == {"ann": 80, "bob": {"hp": [1, 2]}}
        del bars["ann"]
        assert "ann" not in bars
        assert kept(home) == {"bob": {"hp": [1, 2]}}

    def test_missing_keys(self, bars: CachedDict, home: Home) -> None:
        with pytest.raises(KeyError, match="ann"):
            bars["ann"]
        with pytest.raises(KeyError, match="ann"):
            del bars["ann"]
        with pytest.raises(KeyError, match="ann"):
            bars.pop("ann")
        with pytest.raises(KeyError):
            bars.popitem()
        with pytest.raises(KeyError, match="ann"):
            bars.save("ann")
        assert bars.get("ann") is None
        assert bars.get("ann", 7) == 7
        assert bars.pop("ann", 7) == 7
        assert kept(home) == {}

    def test_pop_and_popitem(self, bars: CachedDict) -> None:
        bars.update(ann=1)
        assert bars.pop("ann") == 1
        bars["bob"] = [2]
        assert bars.popitem() == ("bob", [2])
        assert len(bars) == 0

    def test_setdefault(self, bars: CachedDict, home: Home) -> None:
        bars.setdefault("ann", []).append("sword")
        bars.setdefault("ann", ["other"]).append("shield")
        assert bars["ann"] == ["sword", "shield"]
        bars.commit()
        assert kept(home) == {"ann": ["sword", "shield"]}

    def test_update_and_operators(self, bars: CachedDict, home: Home) -> None:
        bars.update({"ann": 1}, bob=2)
        bars.update([("cid", 3)])
        bars |= {"dan": 4}
        assert kept(home) == {"ann": 1, "bob": 2, "cid": 3, "dan": 4}
        joined = bars | {"ann": 9}
        assert type(joined) is dict
        assert joined == {"ann": 9, "bob": 2, "cid": 3, "dan": 4}
        assert ({"eve": 5, "ann": 9} | bars) == {"eve": 5, "ann": 1, "bob": 2, "cid": 3, "dan": 4}
        with pytest.raises(TypeError):
            bars | [1]  # type: ignore[operator]

    def test_comparing(self, bars: CachedDict) -> None:
        bars["ann"] = [1]
        assert bars == {"ann": [1]}
        assert bars != {"ann": [2]}
        assert bars != {"ann": [1], "bob": 1}
        assert bars != [("ann", [1])]
        bars["ann"].append(2)
        assert bars == {"ann": [1, 2]}
        with pytest.raises(TypeError, match="unhashable"):
            hash(bars)

    def test_views(self, bars: CachedDict) -> None:
        bars["ann"] = [1]
        assert list(bars) == list(bars.keys()) == ["ann"]
        assert list(bars.values()) == [[1]]
        assert list(bars.items()) == [("ann", [1])]
        assert ("ann", [1]) in bars.items()
        assert [1] in bars.values()
        assert len(bars.items()) == 1
        assert list(reversed(bars.items())) == [("ann", [1])]
        assert list(reversed(bars.values())) == [[1]]
        assert list(reversed(bars.keys())) == ["ann"]
        bars["bob"] = 2
        assert len(bars.keys()) == 2

    def test_a_loop_may_change_the_dict(self, bars: CachedDict) -> None:
        bars.update({str(number): number for number in range(5)})
        for key in bars:
            del bars[key]
        assert bars == {}

    def test_clear(self, bars: CachedDict, home: Home) -> None:
        bars.update(ann=1, bob=2)
        bars.clear()
        assert len(bars) == 0
        assert kept(home) == {}

    @pytest.mark.parametrize("key", [5, None, ("a",), b"ann"])
    def test_other_keys(self, bars: CachedDict, home: Home, key: Any) -> None:
        with pytest.raises(KeyRefused, match="keys are strings"):
            bars[key] = 1
        with pytest.raises(KeyRefused):
            bars.update({"ann": 1, key: 2})
        with pytest.raises(KeyRefused):
            bars.setdefault(key, 1)
        with pytest.raises(KeyError):
            bars[key]
        with pytest.raises(KeyError):
            del bars[key]
        assert key not in bars
        assert bars.get(key, 3) == 3
        assert bars.pop(key, 3) == 3
        assert kept(home) == {}

    def test_unhashable_keys(self, bars: CachedDict) -> None:
        with pytest.raises(TypeError):
            bars[[]]  # type: ignore[index]
        with pytest.raises(TypeError):
            [] in bars  # type: ignore[comparison-overlap]  # noqa: B015

    def test_string_like_keys_become_plain(self, bars: CachedDict, home: Home) -> None:
        bars[Colour.RED] = 1
        assert bars["red"] == bars[Colour.RED] == 1
        assert Colour.RED in bars
        assert type(next(iter(kept(home)))) is str

    @pytest.mark.parametrize("is_loaded", [True, False])
    def test_repr_shows_the_content(self, is_loaded: bool) -> None:
        bars = CachedDict(Recording("service_1.channel_x.bars"))
        if is_loaded:
            bars.load()
        bars["ann"] = {"hp": [80]}
        bars["ann"]["hp"].append(79)
        assert repr(bars) == str(bars) == "CachedDict({'ann': {'hp': [80, 79]}})"

    def test_repr_of_a_dict_whose_engine_is_away_says_so(self) -> None:
        class Away(Recording):
            def all_keys(self) -> Iterable[str]:
                raise StorageUnavailable("the server does not answer")

        assert repr(CachedDict(Away("bars"))).endswith("the server does not answer)")

    def test_names_of_arguments_are_those_of_the_sdk(self, bars: CachedDict) -> None:
        assert CachedDict(Recording("bars"), strict_mode=True).strict_mode
        bars["ann"] = 1
        assert (bars.pop("bob", default=2), bars.pop(key="ann")) == (2, 1)


class TestOrder:
    @pytest.mark.parametrize("kind", ["json", "four"])
    def test_is_that_of_a_dict(self, kind: str, tmp_path: Path, redis_port: int) -> None:
        home = make_home(kind, tmp_path, redis_port)
        bars, model = CachedDict(home()), dict[str, int]()
        bars.load()
        for content in (bars, model):
            for key in "abcd":
                content[key] = 1
            content["b"] = 2
            del content["a"]
            content["a"] = 3
            content.pop("c")
            content.setdefault("c", 4)
            content.update(e=5, b=6)
        assert list(bars.items()) == list(model.items())
        assert list(reversed(bars)) == list(reversed(model))
        assert list(kept(home).items()) == list(model.items())
        assert [bars.popitem() for _ in model] == list(reversed(model.items()))
        bars.close()


class TestValues:
    def test_are_copied_when_assigned(self, bars: CachedDict) -> None:
        mine = {"items": ["sword"]}
        bars["ann"] = mine
        bars["bob"] = mine
        mine["items"].append("shield")
        bars["bob"]["items"].append("bow")
        assert bars["ann"] == {"items": ["sword"]}

    def test_are_live_when_read(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = {"items": [{"n": 1}]}
        bars["ann"]["items"][0]["n"] += 1
        assert bars["ann"]["items"][0]["n"] == 2
        assert kept(home) == {"ann": {"items": [{"n": 1}]}}
        bars.save("ann")
        assert kept(home) == {"ann": {"items": [{"n": 2}]}}

    def test_stay_live_after_saving(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = []
        items = bars["ann"]
        for item in ("sword", "shield"):
            items.append(item)
            bars.save("ann")
        items.append("bow")
        bars.commit()
        assert kept(home) == {"ann": ["sword", "shield", "bow"]}

    def test_may_be_changed_back_after_saving(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = []
        items = bars["ann"]
        items.append("sword")
        bars.save("ann")
        items.pop()
        bars.commit()
        assert kept(home) == {"ann": []}

    def test_are_detached_when_replaced(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = ["old"]
        old = bars["ann"]
        bars["ann"] = ["new"]
        old.append("more")
        bars.commit()
        assert bars["ann"] == ["new"]
        assert kept(home) == {"ann": ["new"]}

    def test_copy_is_of_no_consequence(self, bars: CachedDict) -> None:
        bars["ann"] = ["sword"]
        bars.copy()["ann"].append("shield")
        (bars | {})["ann"].append("bow")
        assert bars["ann"] == ["sword"]

    def test_exact_types_come_back(self, bars: CachedDict, home: Home) -> None:
        value = {"when": datetime(2026, 1, 2, tzinfo=UTC), "tags": {"a", "b"}, "pair": (1, [2]), "hero": Hero(3, ["bow"]), "big": 2**80}
        bars["ann"] = value
        assert bars["ann"] == value
        assert kept(home)["ann"] == value

    def test_changes_in_sets_and_dataclasses_are_saved(self, bars: CachedDict, home: Home) -> None:
        bars["ann"] = {"tags": {"a"}, "hero": Hero(3, [])}
        bars["ann"]["tags"].add("b")
        bars["ann"]["hero"].hp -= 1
        bars["ann"]["hero"].items.append("bow")
        bars.commit()
        assert kept(home)["ann"] == {"tags": {"a", "b"}, "hero": Hero(2, ["bow"])}

    def test_close_saves_changes_in_place(self, home: Home) -> None:
        bars = CachedDict(home())
        bars.load()
        bars["ann"] = []
        bars["ann"].append("sword")
        bars.close()
        assert kept(home) == {"ann": ["sword"]}

    def test_one_value_that_cannot_be_kept_costs_no_other_at_close(self, home: Home) -> None:
        bars = CachedDict(home())
        bars.update(ann=[], bob=[], cid=[])
        bars["ann"].append("sword")
        bars["bob"].append(float("nan"))
        bars["cid"].append("bow")
        with pytest.raises(ValueRefused, match=r'bars\["bob"\]\[0\]'):
            bars.close()
        assert kept(home) == {"ann": ["sword"], "bob": [], "cid": ["bow"]}

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            (float("nan"), 'bars["ann"]'),
            ({"items": [{"n": float("inf")}]}, 'bars["ann"]["items"][0]["n"]'),
            (OrderedDict(a=1), 'bars["ann"]'),
            (object(), 'bars["ann"]'),
        ],
    )
    def test_refused_ones_change_nothing_and_are_named(self, bars: CachedDict, home: Home, value: Any, path: str) -> None:
        bars["ann"] = 1
        for change in (lambda: bars.__setitem__("ann", value), lambda: bars.update(bob=2, ann=value), lambda: bars.__ior__({"bob": 2, "ann": value})):
            with pytest.raises(ValueRefused) as caught:
                change()
            assert caught.value.path == path
        assert bars == {"ann": 1}
        assert kept(home) == {"ann": 1}


class TestOtherWriters:
    """Several objects over the same data in one process."""

    def test_see_each_other(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        one, two = CachedDict(home()), CachedDict(home())
        one.load()
        two.load()
        one["ann"] = [1]
        assert two["ann"] == [1]
        two["bob"] = 2
        del two["ann"]
        assert one == {"bob": 2}
        two.database.set_value("cid", 3)
        assert one["cid"] == 3
        assert list(one) == list(two) == ["bob", "cid"]
        one.close()
        two.close()

    def test_keep_what_is_not_saved_yet(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        one, two = CachedDict(home()), CachedDict(home())
        one.load()
        one.update(ann=[], bob=[])
        one["ann"].append("sword")
        read_only = one["bob"]
        two["bob"] = ["bow"]
        assert one["bob"] == ["bow"]
        assert read_only == []
        assert one["ann"] == ["sword"]
        one.commit()
        assert two["ann"] == ["sword"]
        one.close()
        two.close()

    def test_are_seen_after_an_own_write(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        one, two = CachedDict(home()), CachedDict(home())
        one.load()
        two["ann"] = 1
        one["bob"] = 2
        assert list(one.items()) == [("ann", 1), ("bob", 2)]
        two["cid"] = 3
        del one["ann"]
        assert list(one.items()) == [("bob", 2), ("cid", 3)]
        one.close()
        two.close()

    def test_are_seen_when_they_come_during_an_own_write(self, tmp_path: Path) -> None:
        class Crowded(JSONDatabase):
            def commit_one(self, key: str, encoded: Encoded | None) -> None:
                super().commit_one(key, encoded)
                self.set_value("crowd", 1)

        bars = CachedDict(Crowded("service_1.channel_x.bars", str(tmp_path)))
        bars.load()
        bars["ann"] = 1
        assert bars == {"ann": 1, "crowd": 1}
        bars.close()

    def test_that_were_overruled_stay_overruled(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        one, two = CachedDict(home()), CachedDict(home())
        one.load()
        one["ann"] = []
        one["ann"].append("sword")
        two["ann"] = ["bow"]
        assert one["ann"] == ["sword"]
        one["ann"].pop()
        one.commit()
        assert two["ann"] == []
        one.close()
        two.close()

    def test_a_removed_key_takes_its_unsaved_changes_along(self, tmp_path: Path, redis_port: int) -> None:
        home = make_home("json", tmp_path, redis_port)
        one, two = CachedDict(home()), CachedDict(home())
        one.load()
        one["ann"] = []
        one["ann"].append("sword")
        del two["ann"]
        one.commit()
        assert "ann" not in one
        one.close()
        assert kept(home) == {}
        two.close()


class TestNotLoaded:
    def test_sees_what_the_engine_holds_at_the_moment(self, home: Home) -> None:
        bars, engine = CachedDict(home()), home()
        assert "ann" not in bars
        assert bars.get("ann") is None
        engine.set_value("ann", [1])
        assert "ann" in bars
        assert bars["ann"] == [1]
        assert len(bars) == 1
        assert list(bars.items()) == [("ann", [1])]
        assert bars == {"ann": [1]}
        engine.set_value("ann", [2])
        assert bars["ann"] == [2]
        engine.delete_key("ann")
        assert "ann" not in bars
        assert bars.get("ann", 5) == 5
        engine.close()
        bars.close()

    def test_changes_in_place_win_over_what_the_engine_holds(self, home: Home) -> None:
        bars, engine = CachedDict(home()), home()
        bars["ann"] = []
        bars["ann"].append("sword")
        engine.set_value("ann", ["other"])
        assert bars["ann"] == ["sword"]
        bars.save("ann")
        assert engine.get_value("ann") == (True, ["sword"])
        engine.close()
        bars.close()

    def test_looking_writes_nothing(self) -> None:
        engine = Recording("service_1.channel_x.bars")
        FourMethods.set_value(engine, "ann", [1])
        bars = CachedDict(engine)
        bars.get("bob")
        bars.get("ann")
        "bob" in bars  # noqa: B015
        list(bars.items())
        bars.setdefault("ann", 3)
        bars.load()
        list(bars.items())
        bars.commit()
        assert engine.commits == []

    def test_load_turns_to_memory(self) -> None:
        engine = Recording("service_1.channel_x.bars")
        bars = CachedDict(engine)
        bars["ann"] = [1]
        bars.load()
        engine.asked.clear()
        assert bars["ann"] == [1]
        assert "bob" not in bars
        assert len(bars) == 1
        assert engine.asked == []

    def test_nothing_is_there_to_load_from_an_engine_that_keeps_nothing(self) -> None:
        bars = CachedDict(NullDatabase("service_1.channel_x.sessions"))
        bars["ann"] = [1]
        bars["ann"].append(2)
        assert bars == {"ann": [1, 2]}
        bars.load()
        assert bars == {"ann": [1, 2]}
        bars.commit()
        del bars["ann"]
        assert len(bars) == 0


class TestRefusals:
    @pytest.mark.parametrize("loaded", [True, False])
    def test_a_refused_write_raises_and_the_old_value_stays(self, loaded: bool) -> None:
        engine = FourMethods("service_1.channel_x.bars")
        bars = CachedDict(engine)
        if loaded:
            bars.load()
        bars.update(ann=1, bob=[2], cid=3)
        engine.broken = {"bob"}
        for change in (
            lambda: bars.__setitem__("bob", 9),
            lambda: bars.__delitem__("bob"),
            lambda: bars.pop("bob"),
            lambda: bars.update(ann=9, bob=9, dan=9),
            bars.clear,
        ):
            with pytest.raises(CommitFailed, match="'bob'"):
                change()
            assert bars == {"ann": 1, "bob": [2], "cid": 3}
            assert dict(engine._kept) == {"ann": 1, "bob": [2], "cid": 3}
        engine.broken = set()
        bars["bob"] = 9
        assert bars == {"ann": 1, "bob": 9, "cid": 3}

    def test_changes_in_place_survive_a_failed_save(self) -> None:
        engine = FourMethods("service_1.channel_x.bars")
        bars = CachedDict(engine)
        bars.load()
        bars["ann"] = []
        bars["ann"].append("sword")
        engine.broken = {"ann"}
        with pytest.raises(CommitFailed):
            bars.save("ann")
        assert bars["ann"] == ["sword"]
        engine.broken = set()
        bars.commit()
        assert engine.get_value("ann") == (True, ["sword"])

    def test_an_unreadable_value_costs_one_key(self, tmp_path: Path) -> None:
        bars = CachedDict(JSONDatabase("service_1.channel_x.bars", str(tmp_path)))
        bars.load()
        bars.update(ann=1, bob=2, cid=3)
        of_nobody = DomainChanges(bars.database, [("bob", b'{"$data":["Unregistered",{}]}')])
        bars.database.commit_batch([of_nobody], Origin(), sync=False)
        with pytest.raises(UnreadableValue, match=r'bars\["bob"\].*Unregistered'):
            bars["bob"]
        assert dict(bars.items()) == bars.copy() == {"ann": 1, "cid": 3}
        assert list(bars.values()) == [1, 3]
        assert [finding.key for finding in bars.report] == ["bob"]
        assert "bob" in bars
        bars["bob"] = 2
        assert bars == {"ann": 1, "bob": 2, "cid": 3}
        bars.close()

    def test_after_close(self, home: Home) -> None:
        bars = CachedDict(home())
        bars.load()
        bars["ann"] = 1
        bars.close()
        bars.close()
        for use in (lambda: bars["ann"], lambda: bars.__setitem__("ann", 2), lambda: bars.pop("ann"), lambda: len(bars), bars.commit, bars.load):
            with pytest.raises(StoreClosed, match="bars"):
                use()
        assert "closed" in repr(bars)


class TestThreads:
    def test_no_write_is_lost(self, home: Home) -> None:
        bars = CachedDict(home())
        bars.load()
        failures: list[BaseException] = []

        def work(name: str) -> None:
            try:
                for number in range(60):
                    bars[f"{name}{number}"] = [number]
                    bars[f"{name}{number}"]
                    bars.setdefault("shared", [])
                    list(bars.items())
                    if number % 3 == 0:
                        assert bars.pop(f"{name}{number}") == [number]
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        expected = {f"{name}{number}": [number] for name in "abcd" for number in range(60) if number % 3} | {"shared": []}
        assert bars == expected
        bars.close()
        assert kept(home) == expected

    def test_each_key_is_popped_by_one_thread(self) -> None:
        bars = CachedDict(FourMethods("service_1.channel_x.bars"))
        bars.load()
        bars.update({str(number): number for number in range(200)})
        popped: list[tuple[str, int]] = []

        def work() -> None:
            while True:
                try:
                    popped.append(bars.popitem())
                except KeyError:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(number for _, number in popped) == list(range(200))

    async def test_waiting_for_another_thread_would_block_the_loop(self) -> None:
        engine = FourMethods("service_1.channel_x.bars")
        bars = CachedDict(engine)
        with engine.lock, pytest.raises(StorageBusy, match="event loop"):
            bars["ann"] = 1
        bars["ann"] = 1

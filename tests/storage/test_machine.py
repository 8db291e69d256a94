"""A CachedDict against a plain dict: random operations, transactions, rollbacks, restarts, clears and refusals, on every engine."""

from __future__ import annotations

import contextlib
import copy
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from storage.dicts.cached_dict import CachedDict
from storage.dicts.transaction import Transaction
from storage.encoding import codec
from storage.errors import CommitFailed
from storage.moobius_storage import MoobiusStorage
from storage.null.database import NullDatabase
from tests.storage.engines_for_tests import FourMethods
from tests.storage.homes_for_tests import Home, make_home

NAMES = ("bars", "notes")
EXAMPLES = int(os.environ.get("MOORING_EXAMPLES", "100"))
KEYS = st.sampled_from(["a", "../x", "$set", "é\n"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
LISTS = st.lists(st.integers(0, 9), max_size=3)
VALUES = st.recursive(
    SCALARS | LISTS.map(set) | st.tuples(LISTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
CHANGEABLE = st.sampled_from([[], {}, set(), [[1]], {"a": []}, ([],)])


class Everything(set[str]):
    """Every key is in it."""

    def __contains__(self, key: object) -> bool:
        return True


def change_in_place(value: Any, item: int) -> None:
    if isinstance(value, tuple):
        value = value[0] if value else None
    if isinstance(value, list):
        if value and isinstance(value[0], list | dict | set):
            change_in_place(value[0], item)
        else:
            value.append(item)
    elif isinstance(value, dict):
        if isinstance(value.get("a"), list | dict | set):
            change_in_place(value["a"], item)
        else:
            value["x"] = item
    elif isinstance(value, set):
        value.add(item)


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: 1 is not True here."""
    return codec.encode(one) == codec.encode(other)


class Model:
    """What one dict should hold: in the engine, as seen outside of transactions, and as seen inside of the open one."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.outside: dict[str, Any] = {}
        self.inside: dict[str, Any] | None = None
        self.touched: set[str] = set()

    @property
    def now(self) -> dict[str, Any]:
        return self.outside if self.inside is None else self.inside

    def set(self, key: str, value: Any) -> None:
        self.now[key] = copy.deepcopy(value)
        self._written(key)

    def delete(self, key: str) -> None:
        del self.now[key]
        self._written(key)

    def clear(self) -> None:
        for key in list(self.now):
            self.delete(key)

    def touch(self, key: str) -> None:
        self.touched.add(key)

    def save(self, key: str) -> None:
        if self.inside is None:
            self.kept[key] = copy.deepcopy(self.outside[key])

    def begin(self) -> None:
        self.inside, self.touched = copy.deepcopy(self.outside), set()

    def end(self, *, committed: bool) -> None:
        if committed:
            assert self.inside is not None
            touched = self.touched
            kept = {key: copy.deepcopy(value if key in touched else self.kept[key]) for key, value in self.inside.items()}
            self.outside = {key: copy.deepcopy(value if key in touched else self.outside[key]) for key, value in self.inside.items()}
            self.kept = kept
        self.inside = None

    def write_elsewhere(self, key: str, value: Any) -> None:
        if key not in self.outside or same(self.outside[key], self.kept[key]):
            self.outside[key] = copy.deepcopy(value)
        self.kept[key] = copy.deepcopy(value)

    def delete_elsewhere(self, key: str) -> None:
        del self.outside[key], self.kept[key]

    def _written(self, key: str) -> None:
        self.touched.add(key)
        if self.inside is None:
            if key in self.outside:
                self.kept[key] = copy.deepcopy(self.outside[key])
            else:
                self.kept.pop(key, None)


class DictMachine(RuleBasedStateMachine):
    kind = ""
    port = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.before = Path.cwd()
        os.chdir(self.folder)  # what is cleared goes to a folder beside the working directory's files
        self.home: Home = NullDatabase if self.kind == "null" else make_home(self.kind, self.folder, self.port)
        self.models = {name: Model() for name in NAMES}
        self.loaded: dict[str, bool] = {}
        self.open: list[Transaction] = []

    @initialize(loaded=st.booleans())
    def start(self, loaded: bool) -> None:
        self._open_storage(dict.fromkeys(NAMES, loaded))

    def _open_storage(self, loaded: dict[str, bool], clear: str = "") -> None:
        self.storage = MoobiusStorage("1", "tavern")
        self.loaded = loaded
        for name in NAMES:
            self.storage.put(name, self.home(name), load=loaded[name], clear=name == clear)

    def _pair(self, name: str) -> tuple[CachedDict, Model]:
        return getattr(self.storage, name), self.models[name]

    # -- operations ----------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), key=KEYS, value=VALUES | CHANGEABLE)
    def assign(self, name: str, key: str, value: Any) -> None:
        real, model = self._pair(name)
        real[key] = value
        model.set(key, value)

    @rule(name=st.sampled_from(NAMES), key=KEYS)
    def delete(self, name: str, key: str) -> None:
        real, model = self._pair(name)
        if key in model.now:
            del real[key]
            model.delete(key)
        else:
            with pytest.raises(KeyError):
                del real[key]

    @rule(name=st.sampled_from(NAMES), key=KEYS)
    def pop(self, name: str, key: str) -> None:
        real, model = self._pair(name)
        assert same(real.pop(key, "nothing"), model.now.get(key, "nothing"))
        if key in model.now:
            model.delete(key)

    @rule(name=st.sampled_from(NAMES))
    def popitem(self, name: str) -> None:
        real, model = self._pair(name)
        if not model.now:
            with pytest.raises(KeyError):
                real.popitem()
            return
        key, value = real.popitem()
        assert same(value, model.now[key])
        if self.kind != "redis":
            assert key == list(model.now)[-1]
        model.delete(key)

    @rule(name=st.sampled_from(NAMES), key=KEYS, value=VALUES | CHANGEABLE, item=st.integers(0, 99))
    def setdefault(self, name: str, key: str, value: Any, item: int) -> None:
        real, model = self._pair(name)
        found = real.setdefault(key, value)
        if key not in model.now:
            model.set(key, value)
        model.touch(key)
        assert same(found, model.now[key])
        change_in_place(found, item)
        change_in_place(model.now[key], item)

    @rule(name=st.sampled_from(NAMES), items=st.dictionaries(KEYS, VALUES | CHANGEABLE, max_size=4), with_operator=st.booleans())
    def update(self, name: str, items: dict[str, Any], with_operator: bool) -> None:
        real, model = self._pair(name)
        if with_operator:
            real |= items
        else:
            real.update(items)
        for key, value in items.items():
            model.set(key, value)

    @rule(name=st.sampled_from(NAMES))
    def clear(self, name: str) -> None:
        real, model = self._pair(name)
        real.clear()
        model.clear()

    @rule(name=st.sampled_from(NAMES), key=KEYS, item=st.integers(0, 99))
    def change(self, name: str, key: str, item: int) -> None:
        real, model = self._pair(name)
        if key not in model.now:
            assert real.get(key, item) == item
            assert key not in real
            return
        value = real[key]
        assert same(value, model.now[key])
        change_in_place(value, item)
        change_in_place(model.now[key], item)
        model.touch(key)

    @rule(name=st.sampled_from(NAMES), item=st.integers(0, 99))
    def change_all(self, name: str, item: int) -> None:
        real, model = self._pair(name)
        for key, value in real.items():
            assert same(value, model.now[key])
            change_in_place(value, item)
            change_in_place(model.now[key], item)
            model.touch(key)

    # -- keeping ---------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), key=KEYS)
    def save(self, name: str, key: str) -> None:
        real, model = self._pair(name)
        if key in model.now:
            real.save(key)
            model.save(key)
        else:
            with pytest.raises(KeyError):
                real.save(key)

    @rule(of_all=st.booleans())
    def commit(self, of_all: bool) -> None:
        if of_all:
            self.storage.commit()
        else:
            self.storage.bars.commit()
        for name in NAMES if of_all else ("bars",):
            for key in self.models[name].outside:
                self.models[name].save(key)

    @precondition(lambda self: len(self.open) < 2)
    @rule()
    def begin(self) -> None:
        transaction = self.storage.transaction()
        transaction.__enter__()
        if not self.open:
            for model in self.models.values():
                model.begin()
        self.open.append(transaction)

    @precondition(lambda self: self.open)
    @rule(committed=st.booleans())
    def end(self, committed: bool) -> None:
        self.open.pop().__exit__(*(None, None, None) if committed else (ValueError, ValueError(), None))
        if not self.open:
            for model in self.models.values():
                model.end(committed=committed)

    @precondition(lambda self: self.kind == "four" and len(self.open) == 1)
    @rule()
    def fail(self) -> None:
        self._break(Everything())
        failed = True
        try:
            self.open.pop().__exit__(None, None, None)
            failed = False
        except CommitFailed:
            pass
        finally:
            self._break(set())
        before = {name: copy.deepcopy(model.kept) for name, model in self.models.items()}
        for model in self.models.values():
            model.end(committed=not failed)
        if not failed:
            assert before == {name: model.kept for name, model in self.models.items()}

    @precondition(lambda self: self.kind == "four" and not self.open)
    @rule(name=st.sampled_from(NAMES), key=KEYS)
    def fail_alone(self, name: str, key: str) -> None:
        real, _ = self._pair(name)
        self._break(Everything())
        with pytest.raises(CommitFailed):
            real[key] = 1
        self._break(set())

    def _break(self, keys: set[str]) -> None:
        for name in NAMES:
            engine = self._pair(name)[0].database
            assert isinstance(engine, FourMethods)
            engine.broken = keys

    # -- from outside --------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.open and self.kind != "null")
    @rule(name=st.sampled_from(NAMES), key=KEYS, value=VALUES, delete=st.booleans())
    def write_elsewhere(self, name: str, key: str, value: Any, delete: bool) -> None:
        if self.kind == "four" and self.loaded[name]:
            return  # an engine that has only the four methods cannot tell a loaded dict
        model = self.models[name]
        engine = self.home(name)
        if not delete:
            assert engine.set_value(key, value) == (True, key)
            model.write_elsewhere(key, value)
        elif key in model.kept:
            assert engine.delete_key(key) == (True, key)
            model.delete_elsewhere(key)
        engine.close()

    @precondition(lambda self: not self.open)
    @rule(loaded=st.tuples(st.booleans(), st.booleans()), clear=st.sampled_from(["", "", "", *NAMES]))
    def restart(self, loaded: tuple[bool, bool], clear: str) -> None:
        self.storage.close()
        for name, model in self.models.items():
            if name == clear or self.kind == "null":
                model.outside.clear()
            model.kept = copy.deepcopy(model.outside)
        self._open_storage(dict(zip(NAMES, loaded, strict=True)), clear)

    @rule(name=st.sampled_from(NAMES))
    def load(self, name: str) -> None:
        self._pair(name)[0].load()
        self.loaded[name] = True

    # -- what holds at any time ----------------------------------------------------------------------------------------

    @invariant()
    def shows_what_the_model_shows(self) -> None:
        for name in NAMES if hasattr(self, "storage") else ():
            real, model = self._pair(name)
            assert len(real) == len(model.now)
            assert set(real) == set(model.now)
            assert same(real.copy(), {key: model.now[key] for key in real})
            assert [key for key in ("a", "../x", "$set", "é\n") if (key in real) is not (key in model.now)] == []
            if self.kind != "redis":
                assert list(real) == list(model.now)
                assert list(reversed(real)) == list(reversed(model.now))

    @invariant()
    def engine_holds_what_was_committed(self) -> None:
        for name in NAMES if hasattr(self, "storage") and self.kind != "null" else ():
            model = self.models[name]
            engine = self.home(name)
            assert same({key: engine.get_value(key)[1] for key in model.kept}, model.kept)
            assert set(engine.all_keys()) == set(model.kept)
            if self.kind != "redis":
                assert list(engine.all_keys()) == list(model.kept)
            engine.close()

    def teardown(self) -> None:
        while self.open:
            self.open.pop().__exit__(ValueError, ValueError(), None)
        with contextlib.suppress(AttributeError):
            self.storage.close()
        os.chdir(self.before)
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("kind", ["json", "null", "redis", "four"])
def test_any_history_of_operations(kind: str, redis_port: int) -> None:
    machine = type(f"{kind.title()}Machine", (DictMachine,), {"kind": kind, "port": redis_port})
    run_state_machine_as_test(machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=40))

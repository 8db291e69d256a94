"""Looking shows what a read would, and leaves nothing for the commit to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage import CachedDict, JSONDatabase, MoobiusStorage
from storage.dicts.peek import peek
from storage.usage import Usage, changed_in, growth_of, usage_of


@pytest.fixture
def storage(tmp_path: Path) -> MoobiusStorage:
    storage = MoobiusStorage(
        "1", "tavern", [{"implementation": "json", "name": name, "settings": {"root_dir": str(tmp_path)}} for name in ("a", "b")]
    )
    storage.a.update({"x": [1], "y": [2], "n": 3})
    return storage


def test_it_sees_what_the_transaction_did(storage: MoobiusStorage) -> None:
    with storage.transaction():
        assert [peek(storage.a, key) for key in ("x", "n", "z")] == [[1], 3, None]
        storage.a["x"].append(2)
        storage.a["y"] = ["new"]
        storage.a["z"] = [0]
        del storage.a["n"]
        assert [peek(storage.a, key) for key in ("x", "y", "z", "n")] == [[1, 2], ["new"], [0], None]
    assert [peek(storage.a, key) for key in ("x", "y", "z", "n")] == [[1, 2], ["new"], [0], None]
    storage.close()


def test_it_takes_nothing_in_hand(storage: MoobiusStorage) -> None:
    with storage.transaction() as transaction:
        peek(storage.a, "x")
        assert not any(overlay.gather() for overlay in transaction.overlays.values())
        assert not any(overlay.before for overlay in transaction.overlays.values())
    storage.close()


def test_usage_and_growth(storage: MoobiusStorage) -> None:
    dicts = [storage.a, storage.b]
    assert usage_of(dicts) == Usage(keys=3, size=len("[1]") + len("[2]") + len("3"))
    assert growth_of(storage, dicts) == Usage()
    with storage.transaction():
        storage.a["x"].append(22)
        storage.b["new"] = "four"
        del storage.a["n"]
        assert growth_of(storage, dicts) == Usage(keys=0, size=len(",22") + len('"four"') - len("3"))
        assert growth_of(storage, [storage.b]) == Usage(keys=1, size=len('"four"'))
        assert (sorted(changed_in(storage, "a")), changed_in(storage, "b")) == (["x"], ["new"])
    assert usage_of(dicts) == Usage(keys=3, size=len("[1,22]") + len("[2]") + len('"four"'))
    storage.close()


def test_dicts_that_stand_alone_can_be_looked_at(tmp_path: Path) -> None:
    kept = CachedDict(JSONDatabase("d", str(tmp_path)))
    kept.load()
    kept["k"] = {"v": 1}
    assert peek(kept, "k") == {"v": 1}
    assert peek(kept, "none") is None
    kept.database.close()

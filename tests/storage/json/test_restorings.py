"""What the journal says of a dict up to a restoring is not what came after it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storage import JSONDatabase
from storage.files import Files
from storage.json.past import kept_since, past
from storage.json.restorings import restorings
from tests.storage.json.test_restoring import backup, everything, got, put, restore


def set_value(root: Path, domain: str, key: str, value: int, **settings: Any) -> None:
    engine = JSONDatabase(domain, root_dir=root, **settings)
    assert engine.set_value(key, value)[0]
    engine.close()


def restored(tmp_path: Path) -> Path:
    """A dict that had 1 when it was backed up and 2 when it was restored, and one beside it that was not in the backup."""
    root = tmp_path / "db"
    put(root, "bars", {"ann": 1})
    backup(tmp_path / "file", root)
    set_value(root, "bars", "ann", 2)
    set_value(root, "other", "ann", 5)
    restore(tmp_path / "file", root)
    assert got(root, "bars") == {"ann": 1}
    return root


def test_the_old_value_of_the_first_change_after_it_is_not_known(tmp_path: Path) -> None:
    root = restored(tmp_path)
    set_value(root, "bars", "ann", 3)
    set_value(root, "bars", "ann", 4)
    set_value(root, "bars", "bob", 1)
    changes = past(root, lambda domain: domain == "bars")
    found = [(each.key, bytes(each.new or b""), each.is_old_known, each.old and bytes(each.old)) for each in changes]
    assert found[-3:] == [("ann", b"3", False, None), ("ann", b"4", True, b"3"), ("bob", b"1", False, None)]


def test_one_goes_back_no_further_than_to_it_but_for_other_dicts(tmp_path: Path) -> None:
    root = restored(tmp_path)
    (it,) = restorings(root, Files())
    assert kept_since(root) == it.at > 0
    assert kept_since(root, lambda domain: domain == "bars") == it.at
    assert kept_since(root, lambda domain: domain == "somewhere else") is None


def test_it_is_remembered_once_however_often_the_store_is_opened(tmp_path: Path) -> None:
    root = restored(tmp_path)
    for _ in range(3):
        got(root, "bars")
    (it,) = restorings(root, Files())
    assert it.replaced("bars")
    assert not it.replaced("somewhere else")


def test_one_that_cannot_be_read_may_have_been_of_any_dict(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = restored(tmp_path)
    (it,) = restorings(root, Files())
    data = bytearray(it.path.read_bytes())
    data[-3] ^= 1
    it.path.write_bytes(data)
    (damaged,) = restorings(root, Files())
    assert damaged.replaced("somewhere else")
    set_value(root, "other", "ann", 6)
    assert not list(past(root, lambda domain: domain == "other"))[-1].is_old_known
    assert str(it.path) in caplog.text


def test_it_is_forgotten_with_the_commits_before_it(tmp_path: Path) -> None:
    root = restored(tmp_path)
    set_value(root, "bars", "ann", 3, retention_bytes=1)
    assert not list((root / "retained").iterdir())
    put(root, "bars", {"ann": 1})
    restore(tmp_path / "file", root)
    set_value(root, "bars", "ann", 3, retention_days=0)
    assert not restorings(root, Files())


def test_a_whole_dict_that_was_not_there_counts_as_well(tmp_path: Path) -> None:
    root = restored(tmp_path)
    (it,) = restorings(root, Files())
    assert it.replaced("other"), "it gave way, as the backup had none"
    assert got(root, "other") == {}
    assert everything("other")


def test_two_without_a_commit_in_between_are_both_remembered(tmp_path: Path) -> None:
    for name in ("bars", "other"):
        put(tmp_path / name, name, {"ann": 1})
        backup(tmp_path / f"{name}.backup", tmp_path / name)
    root = tmp_path / "db"
    put(root, "bars", {"ann": 2})
    for name in ("bars", "other"):
        restore(tmp_path / f"{name}.backup", root, gives_way=lambda domain: False)
    assert (got(root, "bars"), got(root, "other")) == ({"ann": 1}, {"ann": 1})
    (it,) = restorings(root, Files())
    assert it.domains == frozenset({"bars", "other"})

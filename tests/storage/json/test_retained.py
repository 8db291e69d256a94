"""The journal behind checkpoints is kept, and tells what happened."""

from __future__ import annotations

import gzip
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from storage import ConfigError, MoobiusStorage
from storage.files import Files
from storage.json.inspection import inspect
from storage.json.past import past
from storage.json.retained import RetainedSegments, Retention, segments_in
from tests.waiting_for_tests import wait_for


def config(root: Path, **settings: Any) -> dict[str, Any]:
    return {"implementation": "json", "name": "bars", "settings": {"root_dir": str(root), **settings}}


def write(root: Path, *values: int, **settings: Any) -> None:
    """Each value in a life of its own, which ends with a clean close."""
    for value in values:
        with MoobiusStorage("1", "tavern", config(root, **settings)) as storage, storage.transaction("m-ann", f"event{value}"):
            storage.bars["ann"] = value


def told(root: Path) -> list[tuple[Any, ...]]:
    changes = past(root, lambda domain: domain.endswith(".bars"))
    return [(each.sequence, each.member, each.event, each.old and bytes(each.old), each.new and bytes(each.new)) for each in changes]


def kept(root: Path) -> list[Path]:
    return [each.path for each in segments_in(root / "retained", Files())]


def test_clean_closes_take_nothing_of_the_past_and_numbers_go_on(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3)
    assert told(tmp_path) == [
        (1, "m-ann", "event1", None, b"1"),
        (2, "m-ann", "event2", b"1", b"2"),
        (3, "m-ann", "event3", b"2", b"3"),
    ]
    assert [path.name[:21] for path in kept(tmp_path)] == [f"0000000{number}-00000000000{number}" for number in (1, 2, 3)]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept(tmp_path))
    assert not (tmp_path / "journal").exists()


def test_it_is_told_beside_the_process_that_writes(tmp_path: Path) -> None:
    with MoobiusStorage("1", "tavern", config(tmp_path, checkpoint_bytes=2_000)) as storage:
        done = threading.Event()

        def work() -> None:
            for number in range(300):
                storage.bars["ann"] = number
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not done.is_set():
            numbers = [each[0] for each in told(tmp_path)]
            assert numbers == list(range(1, len(numbers) + 1))
        thread.join()
        assert len(told(tmp_path)) == 300
        wait_for(lambda: len(kept(tmp_path)) >= 1)
    assert [int(each[4]) for each in told(tmp_path)] == list(range(300))


@pytest.mark.parametrize("settings", [{"retention_days": 0}, {"retention_bytes": 0}])
def test_none_is_kept_if_the_config_says_so(tmp_path: Path, settings: dict[str, Any]) -> None:
    write(tmp_path, 1, 2)
    assert len(kept(tmp_path)) == 2
    write(tmp_path, 3, **settings)
    assert kept(tmp_path) == []


def test_the_oldest_go_when_there_are_too_many_bytes_or_days(tmp_path: Path) -> None:
    write(tmp_path, *range(1, 7))
    size = sum(path.stat().st_size for path in kept(tmp_path))
    write(tmp_path, 7, retention_bytes=size // 2)
    left = told(tmp_path)
    assert [each[0] for each in left] == list(range(8 - len(left), 8))
    assert 2 <= len(left) <= 4
    now = [10 * 86_400.0]
    retained = RetainedSegments(tmp_path / "days", Files(), Retention(days=2), lambda: now[0])
    (tmp_path / "days").mkdir()
    source = tmp_path / "segment"
    for number in range(1, 5):
        source.write_bytes(gzip.decompress(kept(tmp_path)[-1].read_bytes()))
        retained.keep(number, source)
        now[0] += 86_400
    assert [each.number for each in segments_in(tmp_path / "days" / "retained", Files())] == [2, 3, 4]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-9], lambda data: data[:30] + b"\0\0\0" + data[33:]])
def test_a_damaged_file_of_the_past_costs_itself_and_no_start(tmp_path: Path, damage: Any, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, 1, 2, 3)
    victim = kept(tmp_path)[1]
    victim.write_bytes(damage(victim.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert [each[0] for each in told(tmp_path)] == [1, 3]
    assert str(victim) in caplog.text
    write(tmp_path, 4)
    assert [each[0] for each in told(tmp_path)] == [1, 3, 4]
    assert inspect(tmp_path).findings == []


def test_a_segment_that_was_kept_and_not_removed_yet_is_told_once(tmp_path: Path) -> None:
    storage = MoobiusStorage("1", "tavern", config(tmp_path))
    storage.bars["ann"] = 1
    (live,) = (tmp_path / "journal").glob("*.log")
    RetainedSegments(tmp_path, Files(), Retention()).keep(1, live)
    assert [each[0] for each in told(tmp_path)] == [1]
    storage.close()
    assert [each[0] for each in told(tmp_path)] == [1]


def test_two_retentions_for_one_folder_are_a_fault(tmp_path: Path) -> None:
    entries = [config(tmp_path), {**config(tmp_path, retention_days=3), "name": "mana"}]
    with pytest.raises(ConfigError, match="give all that are in the same root_dir the same retention_days"):
        MoobiusStorage("1", "tavern", entries)

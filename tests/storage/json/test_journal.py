"""The journal by itself, as other stores use it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from storage.errors import CommitFailed, StorageError, StoreClosed
from storage.files import Files
from storage.json.entry import JournalEntry
from storage.json.journal import Journal
from storage.json.lines import frame, scan
from storage.json.replay import Replay, header_payload
from tests.crash.disks import FailingFiles


class Log:
    """A journal, with what it applied."""

    def __init__(self, folder: Path, files: Files | None = None) -> None:
        self.applied: list[bytes] = []
        self.journal = Journal(folder, on_commit=self._apply, files=files)
        self.replay = self.journal.open()

    def commit(self, number: int, *, sync: bool = False) -> None:
        self.journal.commit(JournalEntry(b'"n":%d}' % number, sync=sync, token=number))

    def _apply(self, entries: list[JournalEntry]) -> None:
        self.applied += [entry.text for entry in entries]


def numbers(replay: Replay) -> list[int]:
    return [int(payload.rpartition(b":")[2][:-1]) for _, payload in replay.records]


def kinds(replay: Replay) -> list[str]:
    return [damage.kind for damage in replay.damages]


def segment(folder: Path, number: int, after: int, *sequences: int, name: int | None = None) -> Path:
    """A segment whose records have their sequence numbers as content."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name or number:08d}.log"
    records = [frame(b'{"seq":%d,"n":%d}' % (sequence, sequence)) for sequence in sequences]
    path.write_bytes(b"".join([frame(header_payload(number, after)), *records]))
    return path


def test_commits_come_back_in_order_from_all_segments(tmp_path: Path) -> None:
    for first in (1, 3):
        log = Log(tmp_path / "log")
        log.commit(first)
        log.commit(first + 1, sync=True)
        log.journal.close()
    again = Log(tmp_path / "log")
    assert numbers(again.replay) == [1, 2, 3, 4]
    assert again.replay.damages == []
    assert again.journal.sequence == 4


def test_opening_writes_nothing(tmp_path: Path) -> None:
    Log(tmp_path / "log").journal.close()
    assert list(tmp_path.iterdir()) == []


def test_what_is_committed_after_a_rotation_survives_dropping_what_was_before(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.commit(1)
    with log.journal.lock:
        last = log.journal.rotate()
    log.commit(2)
    log.journal.drop(last)
    log.journal.close()
    assert numbers(Log(tmp_path / "log").replay) == [2]


def test_removing_leaves_no_folder(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.commit(1)
    log.journal.remove()
    assert not (tmp_path / "log").exists()


def test_removing_leaves_foreign_files(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.commit(1)
    (tmp_path / "log" / "notes.txt").write_text("mine")
    log.journal.remove()
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["notes.txt"]


def test_a_closed_journal_refuses(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.journal.close()
    with pytest.raises(StoreClosed):
        log.commit(1)
    assert log.applied == []


def test_commits_of_many_threads_are_all_there_once(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")

    def work(first: int) -> None:
        for number in range(first, first + 200):
            log.commit(number, sync=number % 9 == 0)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 1600, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.journal.close()
    replay = Log(tmp_path / "log").replay
    assert sorted(numbers(replay)) == list(range(1600))
    assert [b'"n":%d}' % number for number in numbers(replay)] == log.applied
    assert [sequence for sequence, _ in replay.records] == list(range(1, 1601))


def test_short_writes_are_gone_on_with(tmp_path: Path) -> None:
    class ShortFiles(Files):
        def write(self, descriptor: int, data: bytes | memoryview) -> int:
            return super().write(descriptor, bytes(data)[:7])

    log = Log(tmp_path / "log", ShortFiles())
    log.commit(123456789)
    log.journal.close()
    assert numbers(Log(tmp_path / "log").replay) == [123456789]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("offset", [1, 2])
def test_a_failed_commit_never_comes_back_and_the_next_one_works(tmp_path: Path, length: int, offset: int) -> None:
    files = FailingFiles(1 << 30, length=length, half=True)
    log = Log(tmp_path / "log", files)
    log.commit(1, sync=True)
    files.at = files.calls + offset  # the write, or the sync behind it
    with pytest.raises(CommitFailed, match="nothing was changed"):
        log.commit(2, sync=True)
    files.at = 1 << 30
    log.commit(3, sync=True)
    shutil.copytree(tmp_path / "log", tmp_path / "killed")
    assert log.applied == [b'"n":1}', b'"n":3}']
    assert numbers(Log(tmp_path / "killed").replay) == [1, 3]
    log.journal.close()
    assert numbers(Log(tmp_path / "log").replay) == [1, 3]


def test_a_later_segment_voids_what_was_left_beyond_its_start(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2, 3)
    segment(tmp_path / "log", 2, 2, 4)
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 4]
    assert kinds(replay) == ["void"]


def test_without_its_header_the_first_record_of_a_segment_voids_as_well(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2, 3)
    path = segment(tmp_path / "log", 2, 2, 3, 4)
    path.write_bytes(b"garbage" + path.read_bytes()[7:])
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 3, 4]
    assert sorted(kinds(replay)) == ["damaged", "void"]


def test_a_copied_segment_is_not_applied_twice(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2)
    segment(tmp_path / "log", 2, 2, 3)
    segment(tmp_path / "log", 1, 0, 1, 2, name=3)
    log = Log(tmp_path / "log")
    assert numbers(log.replay) == [1, 2, 3]
    assert kinds(log.replay) == ["copy"]
    log.commit(9)
    log.journal.close()
    assert numbers(Log(tmp_path / "log").replay) == [1, 2, 3, 9]


def test_a_renamed_segment_stays_in_its_place(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2, name=7)
    segment(tmp_path / "log", 2, 2, 3)
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 3]
    assert kinds(replay) == []


def test_repeated_records_do_not_turn_time_back(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2, 3, 1, 2)
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 3]
    assert kinds(replay) == ["repeated", "repeated"]


def test_a_missing_end_of_a_segment_is_noticed(tmp_path: Path) -> None:
    segment(tmp_path / "log", 1, 0, 1, 2)
    segment(tmp_path / "log", 2, 4, 5)
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 5]
    assert kinds(replay) == ["missing"]


def test_an_unfinished_line_is_torn_even_when_later_segments_follow(tmp_path: Path) -> None:
    """That is what a crash leaves that nobody could cut off before the next start."""
    path = segment(tmp_path / "log", 1, 0, 1, 2)
    path.write_bytes(path.read_bytes() + frame(b'{"seq":3,"n":3}')[:12])
    segment(tmp_path / "log", 2, 2, 3)
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2, 3]
    assert kinds(replay) == ["torn"]


def test_a_damaged_last_line_that_was_complete_is_no_torn_one(tmp_path: Path) -> None:
    path = segment(tmp_path / "log", 1, 0, 1, 2)
    path.write_bytes(path.read_bytes()[:-3] + b"?}\n")
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1]
    assert kinds(replay) == ["damaged"]


def test_a_last_line_without_its_line_break_counts(tmp_path: Path) -> None:
    path = segment(tmp_path / "log", 1, 0, 1, 2)
    path.write_bytes(path.read_bytes()[:-1])
    replay = Log(tmp_path / "log").replay
    assert numbers(replay) == [1, 2]
    assert kinds(replay) == []


def test_segments_of_a_later_version_are_refused_and_left(tmp_path: Path) -> None:
    path = segment(tmp_path / "log", 1, 0, 1)
    content = path.read_bytes().replace(frame(header_payload(1, 0)), frame(b'{"journal":2,"segment":1,"after":0}'))
    path.write_bytes(content)
    with pytest.raises(StorageError, match="format 2"):
        Log(tmp_path / "log")
    assert path.read_bytes() == content


def test_stored_text_that_looks_like_a_record_is_no_record() -> None:
    inner = frame(b'{"seq":9,"n":9}').decode().strip()
    payload = b'{"seq":1,"text":"%b"}' % inner.replace('"', '\\"').encode()
    damaged = b"00000000" + frame(payload)[8:]
    assert scan(damaged).lines == []
    assert scan(frame(payload)).lines == [(0, payload)]

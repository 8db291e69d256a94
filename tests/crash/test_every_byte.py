"""Every file of a small store, cut and overwritten at every byte: it opens, keeps what was not touched, and says what was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.database_interface import Finding
from storage.files import Files
from storage.json.store import Store
from storage.json.table import Change

DOMAIN = "service_1.channel_x.bars"
SNAPSHOT = Path("service_1/channel_x/bars.json")
VALUES = {"ann": b"80", "bob": b'{"hp":3,"s":"a b"}', "$c": b'"x"', "d é": b"[1,2]", "e": b"null"}
COMMITS: list[list[Change]] = [
    [("ann", b"1"), ("bob", b'{"hp":4}')],
    [("cid", b'"x"')],
    [("ann", None)],
    [("dora", b"[{}]"), ("bob", b"5")],
]

OVERWRITES: dict[str, Callable[[bytes, int], bytes]] = {
    "flipped bit": lambda data, at: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
    "all bits": lambda data, at: data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :],
    "line break": lambda data, at: data[:at] + b"\n" + data[at + 1 :],
    "quote": lambda data, at: data[:at] + b'"' + data[at + 1 :],
    "digit": lambda data, at: data[:at] + b"7" + data[at + 1 :],
    "taken out": lambda data, at: data[:at] + data[at + 1 :],
}


class HastyFiles(Files):
    """Without waiting for the disk, which no test here turns off."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_data(self, descriptor: int) -> None:
        pass

    def sync_folder(self, path: Path) -> None:
        pass


def _opened(root: Path) -> tuple[dict[str, bytes], list[Finding]]:
    store = Store(root, files=HastyFiles(), checkpoint_bytes=1 << 30)
    table = store.table(DOMAIN)
    values = {key: bytes(value) for key, value in store.copy(table).items()}
    findings = [*store.findings, *table.findings]
    store.close()
    return values, findings


def _damaged(source: Path, target: Path, file: Path, data: bytes) -> tuple[dict[str, bytes], list[Finding]]:
    """What the store says with the file replaced; and it must say the same, without complaints, once it was closed."""
    shutil.copytree(source, target)
    (target / file).write_bytes(data)
    values, findings = _opened(target)
    for finding in findings:
        if finding.kind == "quarantined":
            assert finding.kept is not None
            assert Path(finding.kept).read_bytes() == data
            assert Path(finding.kept + ".note.json").is_file()
    again, complaints = _opened(target)
    assert again == values
    assert not complaints
    shutil.rmtree(target)
    return values, findings


@pytest.fixture
def closed_store(tmp_path: Path) -> Path:
    root = tmp_path / "closed"
    store = Store(root)
    store.commit([(store.table(DOMAIN), list(VALUES.items()))], sync=False)
    store.close()
    return root


@pytest.fixture
def killed_store(tmp_path: Path) -> Path:
    """Two segments that no snapshot has yet."""
    root = tmp_path / "killed"
    for commits in (COMMITS[:2], COMMITS[2:]):
        store = Store(root)
        for commit in commits:
            store.commit([(store.table(DOMAIN), commit)], sync=False)
        store.abandon()
    return root


def _lines(data: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(data):
        end = data.index(b"\n", start) + 1
        yield start, end
        start = end


def test_without_damage_everything_is_there(closed_store: Path, killed_store: Path) -> None:
    assert _opened(closed_store) == (VALUES, [])
    values, [finding] = _opened(killed_store)
    assert values == _after(COMMITS)
    assert finding.kind == "replayed"


@pytest.mark.parametrize("name", OVERWRITES)
def test_a_byte_of_a_snapshot_costs_at_most_the_key_that_it_is_in(closed_store: Path, tmp_path: Path, name: str) -> None:
    data = (closed_store / SNAPSHOT).read_bytes()
    keys = list(VALUES)
    for number, (start, end) in enumerate(_lines(data)):
        touched = keys[number - 2] if 2 <= number < 2 + len(keys) else None
        for at in range(start, end):
            changed = OVERWRITES[name](data, at)
            if changed == data:
                continue
            values, findings = _damaged(closed_store, tmp_path / "damaged", SNAPSHOT, changed)
            assert findings, f"nobody noticed the damage at {at}"
            lost = VALUES.keys() - values.keys()
            assert values == {key: value for key, value in VALUES.items() if key not in lost}, f"at {at}"
            assert lost <= {touched}, f"at {at}"
            assert touched not in lost or any(finding.kind == "quarantined" for finding in findings)
            assert touched not in lost or data[at:end] not in (b"\n", b",\n"), f"a separator at {at} took the key before it"


def test_a_snapshot_cut_anywhere_keeps_its_whole_lines(closed_store: Path, tmp_path: Path) -> None:
    data = (closed_store / SNAPSHOT).read_bytes()
    ends = [end - 1 for _, end in _lines(data)][2 : 2 + len(VALUES)]
    for at in range(len(data)):
        values, findings = _damaged(closed_store, tmp_path / "damaged", SNAPSHOT, data[:at])
        whole = sum(end <= at for end in ends)
        assert values == {key: VALUES[key] for key in list(VALUES)[:whole]}, f"cut at {at}"
        assert findings


@pytest.mark.parametrize("name", OVERWRITES)
def test_a_byte_of_a_journal_costs_at_most_the_commit_that_it_is_in(killed_store: Path, tmp_path: Path, name: str) -> None:
    for number in (1, 2):
        file = Path(f"journal/{number:08d}.log")
        data = (killed_store / file).read_bytes()
        for line, (start, end) in enumerate(_lines(data)):
            commits = COMMITS[:]
            if line > 0:
                del commits[2 * (number - 1) + line - 1]
            for at in range(start, end):
                changed = OVERWRITES[name](data, at)
                if changed == data:
                    continue
                values, findings = _damaged(killed_store, tmp_path / "damaged", file, changed)
                assert values in (_after(commits), _after(COMMITS)), f"byte {at} of segment {number}"
                complained = {finding.kind for finding in findings} - {"replayed"}
                assert complained or values == _after(COMMITS), f"byte {at} of segment {number}"


def test_a_journal_cut_anywhere_keeps_the_commits_before_and_the_segments_after(killed_store: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        file = Path(f"journal/{number:08d}.log")
        data = (killed_store / file).read_bytes()
        ends = [end - 1 for _, end in _lines(data)][1:]
        for at in range(len(data)):
            values, findings = _damaged(killed_store, tmp_path / "damaged", file, data[:at])
            whole = sum(end <= at for end in ends)
            expected = COMMITS[:whole] + COMMITS[2:] if number == 1 else COMMITS[: 2 + whole]
            assert values == _after(expected), f"segment {number} cut at {at}"
            if number == 1 and whole < 2:
                assert {"note", "quarantined"} & {finding.kind for finding in findings}


@pytest.mark.parametrize("size", [0, 7, 64])
def test_a_stretch_of_zeros_costs_what_it_covers(closed_store: Path, tmp_path: Path, size: int) -> None:
    data = (closed_store / SNAPSHOT).read_bytes()
    for at in range(len(data) - size):
        changed = data[:at] + bytes(size) + data[at + size :]
        values, findings = _damaged(closed_store, tmp_path / "damaged", SNAPSHOT, changed)
        assert bool(findings) == bool(size)
        lines = list(_lines(data))[2 : 2 + len(VALUES)]
        for key, (start, end) in zip(VALUES, lines, strict=True):
            untouched = end <= at or at + size <= start
            assert not untouched or values[key] == VALUES[key], f"{key} with zeros from {at}"


def _after(commits: list[list[Change]]) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for commit in commits:
        for key, value in commit:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = bytes(value)
    return values

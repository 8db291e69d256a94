"""A backup of folders that are in use, and its way back: whole or not at all."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage import JSONDatabase, MoobiusStorage
from storage.backup import write_backup
from storage.backup_file import FORMAT, BackupHeader, DictHead
from storage.cleared_backups import cleared_dicts
from storage.errors import StorageError
from storage.files import Files
from storage.restore import RestoreFolder, contents, opened_folders, settle, stage, switch

HEADER = BackupHeader(FORMAT, "1", "0", 0.0)
VALUES = {"ann": 80, "$x": {"deep": [1, {2, 3}]}, "": None, "a\ud800\n": "\u2028\ud83d", "big": 10**40}
ROUNDS = int(os.environ.get("MOORING_RESTORE_ROUNDS", "3"))


def everything(_: str) -> bool:
    return True


def put(root: Path, domain: str, values: dict[str, Any]) -> None:
    engine = JSONDatabase(domain, root_dir=root)
    for key in list(engine.all_keys()):
        engine.delete_key(key)
    for key, value in values.items():
        assert engine.set_value(key, value)[0]
    engine.close()


def got(root: Path, domain: str) -> dict[str, Any]:
    engine = JSONDatabase(domain, root_dir=root)
    try:
        return {key: engine.get_value(key)[1] for key in engine.all_keys()}
    finally:
        engine.close()


def backup(target: Path, root: Path) -> None:
    write_backup(target, {root: {}}, HEADER, everything)


def restore(file: Path, root: Path, gives_way: Callable[[str], bool] = everything) -> None:
    with file.open("rb") as opened:
        _, heads = contents(opened, str(file), everything)
    folder = RestoreFolder(root, {}, wanted=heads)
    with opened_folders([folder], gives_way) as stores, file.open("rb") as opened:
        switch([folder], [stage(folder, stores[0], opened, str(file))])
    settle([folder])


def test_what_was_backed_up_comes_back_and_what_was_there_is_kept(tmp_path: Path) -> None:
    root, file = tmp_path / "db", tmp_path / "file"
    put(root, "a.b.c", VALUES)
    put(root, "many", {str(number): number for number in range(2000)})
    backup(file, root)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    put(root, "a.b.c", {"ann": 1, "new": 2})
    put(root, "later", {"x": 1})
    restore(file, root)
    assert got(root, "a.b.c") == VALUES
    assert len(got(root, "many")) == 2000
    assert got(root, "later") == {}, "what came after the backup gave way"
    assert {copy.domain for copy in cleared_dicts(root)} == {"a.b.c", "many", "later"}
    put(root, "a.b.c", {"after": 1})
    assert got(root, "a.b.c") == {"after": 1}
    restore(file, tmp_path / "empty")
    assert got(tmp_path / "empty", "a.b.c") == VALUES


def test_a_folder_in_use_is_backed_up_as_it_was_at_one_moment(tmp_path: Path) -> None:
    """Two dicts are always changed together, and are so in every backup."""
    settings = {"root_dir": str(tmp_path / "db"), "checkpoint_bytes": 2000}
    stop = threading.Event()
    with MoobiusStorage("1", "x", [{"implementation": "json", "name": name, "settings": settings} for name in ("one", "two")]) as storage:

        def change() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                with storage.transaction():
                    storage.one[str(number % 50)] = storage.two[str(number % 50)] = number

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for number in range(5):
                backup(tmp_path / f"{number}", tmp_path / "db")
        finally:
            stop.set()
            thread.join()
    for number in range(5):
        place = tmp_path / f"of{number}"
        restore(tmp_path / f"{number}", place)
        assert got(place, "service_1.channel_x.one") == got(place, "service_1.channel_x.two")


def test_a_backup_that_was_damaged_or_cut_restores_nothing(tmp_path: Path) -> None:
    root, file = tmp_path / "db", tmp_path / "file"
    put(root, "a", VALUES)
    backup(file, root)
    whole = file.read_bytes()
    for place in range(len(whole)):
        for damaged in (whole[:place], bytes([*whole[:place], whole[place] ^ 0x5A, *whole[place + 1 :]])):
            file.write_bytes(damaged)
            try:
                with file.open("rb") as opened:
                    found = contents(opened, "file", everything)
            except StorageError as error:
                assert "file" in str(error)
            else:
                assert found[1] == [DictHead("a", len(VALUES))], "only what gzip says of itself can be changed unnoticed"
    assert got(root, "a") == VALUES


def test_a_target_that_is_there_and_a_full_disk_are_told(tmp_path: Path) -> None:
    class Full(Files):
        def write(self, descriptor: int, data: bytes | memoryview) -> int:
            raise OSError(28, "No space left on device")

    root, file = tmp_path / "db", tmp_path / "file"
    put(root, "a", VALUES)
    file.write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        backup(file, root)
    assert file.read_text() == "mine"
    with pytest.raises(StorageError, match="No space left"):
        write_backup(tmp_path / "other", {root: {}}, HEADER, everything, Full())
    with pytest.raises(StorageError, match="no folder"):
        backup(tmp_path / "none" / "file", root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "file"]


def test_what_is_damaged_in_the_folder_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    root = tmp_path / "db"
    put(root, "a", {"ann": "sound", "bob": "hit"})
    (root / "a.json").write_bytes((root / "a.json").read_bytes().replace(b'"hit"', b'"hat"'))
    summary = write_backup(tmp_path / "file", {root: {}}, HEADER, everything)
    assert summary.keys == 1
    assert summary.faults and all(str(root / "a.json") in fault for fault in summary.faults)
    restore(tmp_path / "file", tmp_path / "new")
    assert got(tmp_path / "new", "a") == {"ann": "sound"}


def test_a_backup_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    put(tmp_path / "db", "a", VALUES)
    with pytest.raises(StorageError, match="given up"):
        write_backup(tmp_path / "file", {tmp_path / "db": {}}, HEADER, everything, is_ended=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["db"]


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "db", "a", VALUES)
    write_backup(tmp_path / "file", {tmp_path / "db": {}}, BackupHeader(FORMAT + 1, "1", "9", 0.0), everything)
    with (tmp_path / "file").open("rb") as file, pytest.raises(StorageError, match="backup format 2"):
        contents(file, "file", everything)


_CHILD = """
import sys
from pathlib import Path
from storage.files import Files
from tests.storage.json.test_restoring import restore

left = int(sys.argv[3])
class Dying(Files): pass
def dying(name):
    real = getattr(Files, name)
    def call(*arguments):
        global left
        left -= 1
        if left < 0:
            import os
            os.kill(os.getpid(), 9)
        return real(*arguments)
    return call
for name in ("overwrite", "create", "write", "sync", "rename", "unlink", "sync_folder", "make_folder", "remove_folder"):
    setattr(Files, name, dying(name))
restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_kill_leaves_what_was_before_or_what_is_after(tmp_path: Path) -> None:
    root, file = tmp_path / "db", tmp_path / "file"
    after = {domain: {f"{domain}{number}": number for number in range(5)} for domain in ("a", "b.c", "d")}
    for domain, values in after.items():
        put(root, domain, values)
    backup(file, root)
    before: dict[str, dict[str, Any]] = {"a": {"x": 1}, "b.c": {}, "d": {"y": 2}, "e": {"z": 3}}
    after["e"] = {}
    for seed in range(ROUNDS):
        for domain, values in before.items():
            put(root, domain, values)
        calls = random.Random(seed).randrange(60)
        line = [sys.executable, "-c", _CHILD, str(file), str(root), str(calls)]
        ended = subprocess.run(line, cwd=Path(__file__).parents[3], check=False, capture_output=True)
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
        found = {domain: got(root, domain) for domain in before}
        assert found in (before, after), f"seed {seed}"
        assert not (root / "restoring").exists()
        if ended.returncode == 0:
            assert found == after

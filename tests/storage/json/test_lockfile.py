from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import StoreLocked
from storage.json.lockfile import FolderLock

PARENT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from storage.json.lockfile import FolderLock
owner = FolderLock(Path(sys.argv[1]))
print("mine", flush=True)
time.sleep(60)
"""


def test_a_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / ".owner"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], cwd=PARENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        with pytest.raises(StoreLocked, match=str(process.pid)) as caught:
            FolderLock(path)
        assert caught.value.pid == process.pid
        process.kill()
        process.wait()
        FolderLock(path).release()  # the lock ended with the process, though its file is still there


def test_releasing_removes_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".owner"
    owner = FolderLock(path)
    assert path.read_text() == f"{os.getpid()}\n"
    owner.release()
    owner.release()
    assert not path.exists()


def test_a_lock_file_that_was_removed_and_made_anew_is_not_confused_with_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / ".owner"
    first = FolderLock(path)
    path.unlink()
    second = FolderLock(path)  # the first one's file is gone, and with it what it protected
    with pytest.raises(StoreLocked):
        FolderLock(path)
    first.abandon()
    with pytest.raises(StoreLocked):
        FolderLock(path)
    second.release()


def test_a_lock_file_without_a_readable_pid_is_still_a_lock(tmp_path: Path) -> None:
    path = tmp_path / ".owner"
    owner = FolderLock(path)
    path.write_text("?")
    with pytest.raises(StoreLocked, match="another process"):
        FolderLock(path)
    owner.release()

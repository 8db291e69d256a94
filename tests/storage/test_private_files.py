"""What a store writes is for its owner alone, also when an administrator has written it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from storage import MoobiusStorage
from storage.json.store import Store

NOBODY = 65534


def fill(root: Path) -> MoobiusStorage:
    storage = MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": {"root_dir": str(root)}})
    storage.bars["ann"] = "a private word"
    storage.system("history")["1"] = "another"
    return storage


def all_below(root: Path) -> list[Path]:
    return [root, *root.rglob("*")]


def damage(root: Path) -> None:
    file = next(root.rglob("bars.json"))
    file.write_bytes(file.read_bytes().replace(b"private", b"pri"))


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    storage = fill(root)
    seen = {path: stat.S_IMODE(path.stat().st_mode) for path in all_below(root)}
    Store(tmp_path / "other").close()
    storage.close()
    damage(root)
    with fill(root):  # what was damaged goes into quarantine
        seen |= {path: stat.S_IMODE(path.stat().st_mode) for path in all_below(root)}
    assert {path.name for path in seen} >= {"journal", "quarantine", "bars.json", ".owner"}
    assert {path for path, mode in seen.items() if mode != (0o700 if path.is_dir() or "." not in path.name else 0o600)} == set()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can write for others")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    os.chown(root, NOBODY, NOBODY)
    storage = fill(root)
    seen = {path: path.stat().st_uid for path in all_below(root)}
    assert {path.name for path in seen} >= {"journal", ".owner"}
    storage.close()
    seen |= {path: path.stat().st_uid for path in all_below(root)}
    assert set(seen.values()) == {NOBODY}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can write for others")
def test_a_service_opens_what_a_killed_command_of_root_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    os.chown(root, NOBODY, NOBODY)
    code = f"from tests.storage.test_private_files import *; fill(Path({str(root)!r})); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2])
    assert (root / ".owner").exists()
    left = [path for path in all_below(root) if path.stat().st_uid != NOBODY or path.stat().st_mode & 0o077]
    assert left == [root]  # whose mode is its maker's to say

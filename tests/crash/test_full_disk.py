"""A real full disk: a small tmpfs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import CommitFailed
from storage.json.store import Store

SIZE = 400_000
DOMAIN = "service_1.channel_x.bars"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command here")
    result = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {result.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_commits_whole_and_recovers(small_disk: Path) -> None:
    root = small_disk / "store"
    store = Store(root, checkpoint_bytes=1 << 30)
    table = store.table(DOMAIN)
    kept: dict[str, bytes] = {}
    refused = 0
    for number in range(2000):
        value = b'"%b"' % (b"x" * 1000)
        try:
            store.commit([(table, [(f"key{number}", value), ("last", b"%d" % number)])], sync=True)
        except CommitFailed:
            refused += 1
            if refused == 5:
                break
        else:
            kept |= {f"key{number}": value, "last": b"%d" % number}
    assert refused == 5
    assert store.copy(table) == kept
    with pytest.raises(OSError, match="No space left"):
        store.checkpoint()
    assert store.copy(table) == kept

    _check_a_copy(root, small_disk.with_name("copy"), kept)
    ballast = sorted((root / "journal").iterdir())
    assert ballast, "the journal is all that there is"
    small_disk_grows(small_disk)
    store.commit([(table, [("after", b"1")])], sync=True)
    store.checkpoint()
    store.close()
    _check_a_copy(root, small_disk.with_name("copy"), kept | {"after": b"1"})


def small_disk_grows(folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={4 * SIZE}", str(folder)], check=True)


def _check_a_copy(root: Path, copy: Path, expected: dict[str, bytes]) -> None:
    shutil.copytree(root, copy)
    (copy / ".owner").unlink(missing_ok=True)
    store = Store(copy)
    assert {key: bytes(value) for key, value in store.copy(store.table(DOMAIN)).items()} == expected
    store.close()
    shutil.rmtree(copy)

"""A folder that could not be made durable is not taken for one that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.files import Files, make_folders


class Disk(Files):
    def __init__(self) -> None:
        self.synced: list[Path] = []
        self.is_full = True

    def sync_folder(self, path: Path) -> None:
        if self.is_full:
            raise OSError("no space left on the test's disk")
        self.synced.append(path)


def test_a_folder_whose_name_was_not_synced_is_made_again(tmp_path: Path) -> None:
    disk = Disk()
    with pytest.raises(OSError, match="no space left"):
        make_folders(disk, tmp_path / "store" / "journal")
    disk.is_full = False
    make_folders(disk, tmp_path / "store" / "journal")
    assert disk.synced == [tmp_path, tmp_path / "store"]

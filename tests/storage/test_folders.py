"""Folders are made durable, once where once is enough; one that could not be is not taken for one that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.files import Files, make_folders
from storage.json.store import Store


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


class FolderSyncs(Files):
    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync_folder(self, path: Path) -> None:
        self.synced.append(path)
        super().sync_folder(path)


def test_a_checkpoint_syncs_the_folder_of_many_dicts_once(tmp_path: Path) -> None:
    disk = FolderSyncs()
    store = Store(tmp_path / "root", files=disk)
    tables = [store.table(f"service_1.channel_tavern.dict_{number}") for number in range(20)]
    for table in tables:
        store.commit_one(table, "ann", b"1", sync=False)
    store.checkpoint()
    disk.synced.clear()
    for table in tables:
        store.commit_one(table, "ann", b"2", sync=False)
    store.checkpoint()
    assert disk.synced.count(tmp_path / "root" / "service_1" / "channel_tavern") == 1
    assert len(disk.synced) < 5
    store.close()
    again = Store(tmp_path / "root")
    assert [bytes(again.copy(again.table(table.domain))["ann"]) for table in tables] == [b"2"] * 20
    again.close()

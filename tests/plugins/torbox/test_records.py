"""From TorBox's answers to records, and from release names to what they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mooring.plugins.torbox.records import ListedFile, Record, collect
from mooring.plugins.torbox.release_names import ReleaseName, read_release_name
from tests.plugins.torbox.torbox_server import make_item, make_items


@pytest.mark.parametrize(
    ("file_name", "folder_name", "expected"),
    [
        ("The.Matrix.1999.1080p.BluRay.x264-GRP.mkv", "x", ("The Matrix", 1999, None, None, "movie", "The Matrix (1999).mkv", "The Matrix (1999)")),
        ("Some.Show.S01E02.720p.HDTV.mkv", "x", ("Some Show", None, 1, 2, "series", "Some Show S01E02.mkv", "Some Show")),
        ("S02E05.mkv", "Some.Show.S02.1080p", ("Some Show", None, 2, 5, "series", "Some Show S02E05.mkv", "Some Show")),
        ("Some.Show.S01E01E02.mkv", "x", ("Some Show", None, 1, [1, 2], "series", "Some Show S01E01-E02.mkv", "Some Show")),
        ("Amélie (2001).MP4", "x", ("Amélie", 2001, None, None, "movie", "Amélie (2001).mp4", "Amélie (2001)")),
    ],
)
def test_release_names(file_name: str, folder_name: str, expected: tuple[Any, ...]) -> None:
    assert read_release_name(file_name, folder_name) == ReleaseName(*expected)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_name_makes_a_valid_record(file_name: str, folder_name: str) -> None:
    item = {"id": 1, "name": folder_name, "files": [{"id": 2, "name": file_name, "size": 3, "mimetype": "video/mp4"}]}
    (record,) = collect("torrents", [item]).records
    Record.model_validate(record)
    for field in ("metadata_title", "metadata_filename", "metadata_rootfoldername"):
        assert not set('/\\\0\n:*?"<>|') & set(record[field])
        assert record[field].strip(" .")


def test_only_playable_files_become_records() -> None:
    item = make_item(1, files=2)
    item["files"].append({**item["files"][0], "id": 9, "mimetype": "video/mp4"})
    item["files"].append({**item["files"][0], "id": 10, "mimetype": "video/x-msvideo"})
    item["files"].append({**item["files"][0], "id": 11, "mimetype": None})
    assert [record["file_id"] for record in collect("torrents", [item]).records] == [0, 1, 9]


def test_fields_that_may_be_missing() -> None:
    item = {"id": 5, "files": [{"id": 0, "name": "A/B.1999.mp4", "mimetype": "video/mp4"}]}
    (record,) = collect("usenet", [item]).records
    assert (record["folder_name"], record["folder_hash"], record["file_size"], record["file_name"]) == ("5", None, 0, "B.1999.mp4")
    assert collect("usenet", [{"id": 6}, {"id": 7, "files": None}]).records == []


def test_what_is_skipped_is_counted_with_its_first_reason() -> None:
    bad: list[Any] = [None, 5, {"id": "x"}, {"id": 1, "files": [{"id": None, "name": "a", "mimetype": "video/mp4"}, "text"]}]
    collected = collect("torrents", [*bad, *make_items(2)])
    assert len(collected.records) == 2
    assert collected.skipped.count == 5
    assert "and other reasons" in str(collected.skipped)


def test_sizes_are_never_negative() -> None:
    with pytest.raises(ValidationError):
        ListedFile.model_validate({"id": 1, "name": "a", "size": -1})


def test_odd_values_keep_no_file_out() -> None:
    file = {"id": 0, "name": 2012, "short_name": 1917, "size": None, "mimetype": "video/mp4"}
    (record,) = collect("torrents", [{"id": 5, "name": 300, "hash": 123456, "files": [file]}]).records
    Record.model_validate(record)
    assert [record[field] for field in ("folder_name", "folder_hash", "file_name", "path", "file_size")] == ["300", "123456", "1917", "2012", 0]

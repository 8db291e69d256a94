"""Free text: every word, any field, accents and case aside, the best first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mooring.plugins.torbox.search import by_title, find_file, search_records
from mooring.plugins.torbox.search_index import fold, searchable
from mooring.plugins.torbox.table import JournalDB


@pytest.fixture
def database(tmp_path: Path) -> Iterator[JournalDB]:
    with JournalDB(tmp_path / "records.json") as database:
        yield database


def record(title: str, **more: Any) -> dict[str, Any]:
    return {"item_id": 1, "file_id": 0, "file_name": f"{title}.mkv", "metadata_title": title, **more}


def titles(database: JournalDB, text: str) -> list[str]:
    return [found["metadata_title"] for found in search_records(database, text)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("AMÉLIE", "amelie"), ("Straße", "STRASSE"), ("Łódź", "lodz"), ("Ångström", "angstrom"), ("ﬁn", "fin"), ("Smørrebrød", "smorrebrod")],
)
def test_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_the_best_come_first(database: JournalDB) -> None:
    database.insert_multiple(
        [
            record("Something", folder_name="the matrix collection"),
            record("Rematrixed"),
            record("Behind the Matrix"),
            record("Matrix Revolutions"),
            record("Other", file_name="matrix.mkv"),
            record("Matrix"),
        ]
    )
    assert titles(database, "matrix") == ["Matrix", "Matrix Revolutions", "Behind the Matrix", "Rematrixed", "Other", "Something"]


def test_every_word_counts_in_any_field(database: JournalDB) -> None:
    database.insert(record("Amélie", metadata_years=2001, folder_hash="abc123", metadata_episode=[4, 5], extra={"deep": ["Paris"]}))
    for text in ("amelie 2001", "2001 AMÉLIE", "abc123", "paris amelie", "mkv"):
        assert titles(database, text) == ["Amélie"], text
    for text in ("amelie 2002", "", "   ", "none"):
        assert titles(database, text) == [], text


def test_changes_are_seen_at_once(database: JournalDB) -> None:
    database.insert(record("First"))
    assert titles(database, "first") == ["First"]
    database.update({"metadata_title": "Second", "file_name": "x"}, doc_ids=[1])
    assert titles(database, "first") == []
    assert titles(database, "second") == ["Second"]
    database.truncate()
    assert titles(database, "second") == []


def test_what_is_found_is_the_callers_own(database: JournalDB) -> None:
    database.insert(record("Matrix", tags=["a"]))
    search_records(database, "matrix")[0]["tags"].append("b")
    assert search_records(database, "matrix")[0]["tags"] == ["a"]
    assert search_records(database, "matrix")[0].doc_id == 1  # type: ignore[attr-defined]


words = st.text("abÄéß1", min_size=1, max_size=3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(words, min_size=1, max_size=3), max_size=6), st.lists(words, min_size=1, max_size=2))
def test_it_finds_what_a_plain_scan_finds(database: JournalDB, contents: list[list[str]], wanted: list[str]) -> None:
    database.truncate()
    database.insert_multiple(record(" ".join(content)) for content in contents)
    expected = [each.doc_id for each in database.all() if all(searchable(each).has(fold(word)) for word in wanted)]
    assert sorted(found.doc_id for found in search_records(database, " ".join(wanted))) == expected  # type: ignore[attr-defined]


def test_one_file_is_found_by_its_key_after_every_change(database: JournalDB) -> None:
    assert find_file(database, 1, 0) is None
    database.insert_multiple({"item_id": item, "file_id": file} for item in range(3) for file in range(3))
    assert find_file(database, 2, 1) == {"item_id": 2, "file_id": 1}
    database.update({"file_id": 7}, doc_ids=[8])
    assert find_file(database, 2, 1) is None
    assert find_file(database, 2, 7) == {"item_id": 2, "file_id": 7}
    database.remove(doc_ids=[8])
    assert find_file(database, 2, 7) is None
    database.insert({"item_id": [1], "file_id": {}})
    database.truncate()
    assert find_file(database, 0, 0) is None


def test_lists_are_sorted_by_title_season_and_episode() -> None:
    records = [record("b"), record("A", metadata_season=2, metadata_episode=1), record("A", metadata_season=1, metadata_episode=[10, 11])]
    records.append(record("A", metadata_season=1, metadata_episode=9))
    listed = [(each["metadata_title"], each.get("metadata_episode")) for each in by_title(records)]
    assert listed == [("A", 9), ("A", [10, 11]), ("A", 1), ("b", None)]


@pytest.mark.parametrize(
    ("title", "typed"),
    [
        ("Bob’s Burgers", ["bobs burgers", "bob's burgers", "BOB’S", "bobsburgers"]),
        ("Bob's Burgers", ["bobs burgers", "bob’s", "bobʼs burgers"]),
        ("Bob s Burgers", ["bobs burgers"]),
        ("Spider-Man Homecoming", ["spiderman", "spider man", "spider-man", "spiderman homecoming", "SpiderManHome"]),
        ("Spiderman", ["spider man", "spider-man"]),
        ("S.W.A.T.", ["swat", "s.w.a.t.", "s.w.a.t", "S W A T"]),
        ("X-Men Apocalypse", ["xmen", "x men", "xmen apocalypse"]),
        ("M*A*S*H", ["mash"]),
        ("9-1-1", ["911", "9-1-1"]),
        ("WALL·E", ["walle", "wall e"]),
    ],
)
def test_titles_are_found_however_their_words_are_joined(database: JournalDB, title: str, typed: list[str]) -> None:
    database.insert_multiple([record("Something Else"), record(title), record("Another Title")])
    for text in typed:
        assert [found["metadata_title"] for found in search_records(database, text)] == [title], text


def test_joined_words_are_found_from_the_start_of_a_word_only(database: JournalDB) -> None:
    database.insert_multiple([record("With Attitude")])
    assert search_records(database, "hat") == []
    assert len(search_records(database, "withatt")) == 1


def test_links_are_not_searched(database: JournalDB) -> None:
    database.insert({**record("Heat"), "download_link": "https://api.torbox.app/v1/api/torrents/requestdl?token=abc&torrent_id=1"})
    assert search_records(database, "requestdl") == []
    assert len(search_records(database, "heat")) == 1

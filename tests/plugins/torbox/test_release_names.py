"""Release names, read as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.torbox_names import answered_names, mooring
from mooring.plugins.torbox.records import collect
from mooring.plugins.torbox.release_names import read_release_name
from mooring.plugins.torbox.release_parsing import parse_name

AMBIGUOUS = {"Space.1999.S01E05.1080p.BluRay.mkv"}
"""A title that ends with a number of the year's form, and no other year: a person knows the series."""


PIECES = st.sampled_from([*"[](){}.-_ /~&x1209aSEé第集季★", "S01", "E02", "1x02", "2001", "1080p", "www.x.com", " - ", "Season"])


def test_names_are_read_as_a_person_reads_them() -> None:
    names = answered_names()
    assert len(names) >= 300
    wrong = {name.file: (faults, mooring(name.file, name.folder)) for name in names if (faults := name.faults(mooring(name.file, name.folder)))}
    assert wrong.keys() == AMBIGUOUS, wrong


@pytest.mark.parametrize(
    ("file_name", "folder_name", "tidy_file", "tidy_folder"),
    [
        ("The.Matrix.1999.1080p.BluRay.mkv", "x", "The Matrix (1999).mkv", "The Matrix (1999)"),
        ("Lost.S01E01E02.Pilot.mkv", "x", "Lost S01E01-E02.mkv", "Lost"),
        ("Animaniacs.S01E01E02E03.mkv", "x", "Animaniacs S01E01-E03.mkv", "Animaniacs"),
        ("MythBusters.S2009E12.mkv", "x", "MythBusters S2009E12.mkv", "MythBusters"),
        ("[SubsPlease] One Piece - 1089 (1080p) [A1B2C3D4].mkv", "x", "One Piece S01E1089.mkv", "One Piece"),
        ("01.mkv", "Bluey.S03", "Bluey S03E01.mkv", "Bluey"),
        ("The.Daily.Show.2024.03.15.Guest.1080p.mkv", "x", "The Daily Show 2024-03-15.mkv", "The Daily Show"),
        ("The.Daily.Show.2024.03.16.Guest.1080p.mkv", "x", "The Daily Show 2024-03-16.mkv", "The Daily Show"),
        ("Severance.S02.1080p.MKV", "x", "Severance S02.mkv", "Severance"),
    ],
)
def test_tidy_names(file_name: str, folder_name: str, tidy_file: str, tidy_folder: str) -> None:
    release = read_release_name(file_name, folder_name)
    assert (release.file_name, release.folder_name) == (tidy_file, tidy_folder)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*"[](){}.-_ /~&x1209aSEé第集季★", "S01", "E02", "1x02", "2001", "1080p", "www.x.com", " - ", "Season"]), max_size=60)
)
def test_no_name_is_too_much(pieces: list[str]) -> None:
    parsed = parse_name("".join(pieces))
    assert all(number >= 0 for number in (*parsed.seasons, *parsed.episodes))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Bluey/Season 03/01.mkv", "Bluey S03E01.mkv"),
        ("Bluey/Season 3/07 - Title.mkv", "Bluey S03E07.mkv"),
        ("Bluey/Staffel 2/Folge 5.mkv", "Bluey S02E05.mkv"),
        ("Bluey/Specials/02 - Making of.mkv", "Bluey S00E02.mkv"),
        ("Bluey/Bluey.S02.1080p/Bluey.S02E09.mkv", "Bluey S02E09.mkv"),
        ("Bluey/Subs/Bluey.S02E09.mkv", "Bluey S02E09.mkv"),
        ("Marvel Collection/Iron Man (2008)/movie.mkv", "Iron Man (2008).mkv"),
        ("Marvel Collection/Iron.Man.2.2010.1080p/grp-im2.mkv", "Iron Man 2 (2010).mkv"),
    ],
)
def test_folders_between_count(path: str, expected: str) -> None:
    folder, *_, file = path.split("/")
    assert read_release_name(file, folder, path).file_name == expected
    item = {"id": 1, "name": folder, "files": [{"id": 2, "name": path, "short_name": file, "mimetype": "video/mp4"}]}
    assert collect("torrents", [item]).records[0]["metadata_filename"] == expected

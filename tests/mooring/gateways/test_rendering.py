"""What is said as text for a room: all of it, in pieces that fit, and harmless whatever a member wrote."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring import MessageBody, MessageContent, card, table
from mooring.gateways.rendering import clipped, harmless, split, text_of
from mooring.posts import TextUnit

UNITS: dict[TextUnit, str] = {"letters": "utf-32-le", "utf-16": "utf-16-le", "bytes": "utf-8"}
WIDTH: dict[TextUnit, int] = {"letters": 4, "utf-16": 2, "bytes": 1}


def length(text: str, unit: TextUnit) -> int:
    return len(text.encode(UNITS[unit])) // WIDTH[unit]


def test_a_card_has_its_link_and_a_table_its_rows_and_a_file_its_name() -> None:
    assert text_of(card("Tea", "At four", "https://example.org/tea", "Come")) == "Tea\nAt four\nhttps://example.org/tea"
    assert text_of(table(["name", "points"], [["ann", 3]], "Scores")) == "Scores\nname | points\nann | 3"
    assert text_of(MessageBody("file", "", MessageContent(path="/files/tavern/secret/a.txt", filename="a.txt"))) == "a.txt"
    assert text_of(MessageBody("image", "", MessageContent(path="https://example.org/a.png"))) == "https://example.org/a.png"
    assert text_of(MessageBody("text", "", MessageContent())) == ""


@pytest.mark.parametrize("word", ["everyone", "Everyone", "HERE", "room", "channel", "all", "everybody"])
@pytest.mark.parametrize("around", ["@{}", "hello @{}!", "@@{}", "<@{}>", "\u200b@\u202e{}", "@\x00{}"])
def test_no_word_calls_everybody(word: str, around: str) -> None:
    assert f"@{word}".lower() not in harmless(around.format(word)).lower()


def test_other_names_and_addresses_stay_as_they_are() -> None:
    for text in ("@ann", "@allan", "@roomy", "mail ann@example.org", "tab\there", "two\nlines", "\u0634\u0643\u0631\u0627", "👩‍👩‍👧"):
        assert harmless(text) == text


def test_signs_that_reach_beyond_the_text_are_gone() -> None:
    assert harmless("\x1b[31mred\r\u202eevil\u2066\ud800\x00") == "[31mredevil"


@pytest.mark.parametrize(
    ("text", "longest", "pieces"),
    [
        ("one two three four", 10, ["one two", "three four"]),
        ("First line.\nSecond line.", 14, ["First line.", "Second line."]),
        ("A sentence. And more words", 16, ["A sentence.", "And more words"]),
        ("first part\n\nsecond\nthird", 20, ["first part", "second\nthird"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        ("short", 10, ["short"]),
        ("any length", 0, ["any length"]),
        ("", 5, [""]),
    ],
)
def test_a_text_is_split_where_a_reader_would_pause(text: str, longest: int, pieces: list[str]) -> None:
    assert split(text, longest, "letters") == pieces


def test_a_block_of_code_is_one_in_each_piece() -> None:
    code = "\n".join(f"    line {number}" for number in range(20))
    pieces = split(f"Look:\n```python\n{code}\n```\nThat is it.", 100, "letters")
    assert len(pieces) > 2
    for piece in pieces:
        assert len(piece) <= 100
        assert len(re.findall(r"^```", piece, re.MULTILINE)) % 2 == 0
    assert [line for piece in pieces for line in piece.split("\n") if line.startswith("    ")] == code.split("\n")


def test_what_is_drawn_as_one_letter_is_not_split() -> None:
    assert all("\u0301" not in piece[0] for piece in split("a\u0301" * 30, 7, "letters"))
    assert split("👩‍👩‍👧" * 4, 8, "letters") == ["👩‍👩‍👧"] * 4


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(4, 80), st.sampled_from(sorted(UNITS)))
def test_every_piece_fits_and_nothing_is_lost(text: str, longest: int, unit: TextUnit) -> None:
    pieces = split(text, longest, unit)
    assert pieces
    assert all(length(piece, unit) <= longest for piece in pieces)
    if "```" not in text:
        assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)


@given(st.text(st.sampled_from("`\nab .é😀")), st.integers(8, 80), st.sampled_from(sorted(UNITS)))
def test_pieces_of_code_fit_as_well(text: str, longest: int, unit: TextUnit) -> None:
    assert all(length(piece, unit) <= longest for piece in split(text, longest, unit))
    assert length(clipped(text, longest, unit), unit) <= longest

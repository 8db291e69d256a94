"""Names: which are good, and which look like another."""

from __future__ import annotations

import pytest

from mooring.gateways.names import NameIndex, NameRefused, clean_name, lookalike_keys


@pytest.mark.parametrize("name", ["ann", "Ann-Marie", "josé", "Дмитрий", "小林", "o'brien", "r2d2", "नमिता"])
def test_names_of_many_scripts_are_good(name: str) -> None:
    assert clean_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "-._", "two words", "a\u200bnn", "a\u202enna", "<b>ann</b>", "@ann", "a" * 33, "a\u0301\u0301\u0301\u0301", "\x00", "🙂", "a\u00a0b"],
)
def test_names_that_cannot_be_called_or_read_are_refused(name: str) -> None:
    with pytest.raises(NameRefused):
        clean_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann", "ANN"),
        ("ann", "аnn"),
        ("lisa", "Iisa"),
        ("modern", "rnodern"),
        ("paypal", "раураl"),
        ("bob", "b0b"),
        ("ann", "𝐚nn"),
        ("ann", "ạnn"),
        ("Al", "AI"),
    ],
)
def test_names_that_look_alike_share_a_key(one: str, other: str) -> None:
    assert lookalike_keys(one) & lookalike_keys(other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("ann", "bob"), ("कि", "कु"), ("小林", "大林")])
def test_names_that_differ_share_none(one: str, other: str) -> None:
    assert not lookalike_keys(one) & lookalike_keys(other)


def test_an_index_knows_who_is_called_what_and_forgets() -> None:
    index = NameIndex()
    index.add("1", "ann")
    index.add("2", "bob")
    assert index.owner("Ann") == "1"
    assert index.owner("Ann", besides="1") is None
    index.add("1", "carl")
    assert index.owner("ann") is None
    index.keep_only([("2", "bob"), ("3", "ann")])
    assert (index.owner("carl"), index.owner("ann"), len(index)) == (None, "3", 2)

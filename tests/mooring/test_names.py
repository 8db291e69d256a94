"""Names: which are good, and which look like another."""

from __future__ import annotations

import pytest

from mooring.names import NameIndex, NameRefused, clean_name, is_reserved, lookalike_keys


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
        ("wanda", "vvanda"),
        ("annie", "an.nie"),
        ("annie", "an-nie"),
    ],
)
def test_names_that_look_alike_share_a_key(one: str, other: str) -> None:
    assert lookalike_keys(one) & lookalike_keys(other)


@pytest.mark.parametrize(("one", "other"), [("ann", "anna"), ("ann", "bob"), ("कि", "कु"), ("小林", "大林")])
def test_names_that_differ_share_none(one: str, other: str) -> None:
    assert not lookalike_keys(one) & lookalike_keys(other)


UNSEEN = [
    0xFE0F,
    0xFE00,
    0xE0100,
    0xE01EF,
    0x180B,
    0x180F,
    0x17B4,
    0x17B5,
    0x3164,
    0x115F,
    0x1160,
    0xFFA0,
    0x034F,
    0x2060,
    0xAD,
    0xFEFF,
    0x206F,
    0x1D173,
]


@pytest.mark.parametrize("point", UNSEEN, ids=hex)
def test_what_is_not_seen_makes_no_other_name(point: int) -> None:
    for name in (f"annie{chr(point)}", f"{chr(point)}annie", f"an{chr(point)}nie", chr(point)):
        with pytest.raises(NameRefused):
            clean_name(name)
        assert lookalike_keys(name) & lookalike_keys("annie") or name == chr(point)


@pytest.mark.parametrize("name", ["annie.", "annie’", "_annie", "-annie", "annie'", ".annie.", "m-0123456789abcdef", "agent-0123456789abcdef"])
def test_names_that_pass_for_a_sign_or_an_id_are_refused(name: str) -> None:
    with pytest.raises(NameRefused):
        clean_name(name)


@pytest.mark.parametrize("name", ["Mooring", "moderator", "M0derator", "ΜΟORING", "mod.erator", "Owner", "ovvner", "admin", "everyone"])
def test_names_of_those_in_charge_are_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["ann", "modest", "ownerson", "bobby", "allan"])
def test_others_are_not(name: str) -> None:
    assert not is_reserved(name)


def test_the_config_reserves_more(name: str = "Cap\u0455ule") -> None:
    assert is_reserved(name, ["capsule"])
    assert not is_reserved("ann", ["capsule"])


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

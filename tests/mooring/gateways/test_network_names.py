"""Names that come from networks: made fit for the channel, and nobody is turned away for theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mooring import Admission, AdmissionRefused, Applicant
from mooring.events import SimpleAction, UpEvent
from mooring.names import clean_name, made_admissible
from tests.mooring.test_hostile_names import FORGED, IDS, IN_CHARGE, NOBODY
from tests.service_for_tests import Driver, running


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("ann", "ann"),
        ("Ann of  Cleves", "Ann-of-Cleves"),
        (" <b>ann</b> ", "b-ann-b"),
        ("ann \u2764\ufe0f", "ann"),
        ("a\u0301\u0301\u0301\u0301nn", "a\u0301\u0301\u0301nn"),
        ("\u202eann", "ann"),
        ("@ann:example.org", "ann-example.org"),
        ("x" * 50, "x" * 32),
        ("\u3164", "matrix"),
        ("\ud800", "matrix"),
        ("m-0123456789abcdef", "matrix"),
        ("annie\u0660", "annie"),
        ("", "matrix"),
    ],
)
def test_what_is_left_of_a_name(name: str, made: str) -> None:
    assert clean_name(made_admissible(name, "matrix")) == clean_name(made)


@pytest.mark.parametrize("name", [*FORGED, *IN_CHARGE, *IDS, *NOBODY], ids=ascii)
def test_whatever_it_is_it_is_made_admissible(name: str) -> None:
    assert clean_name(made_admissible(name, "matrix"))


async def come(driver: Driver, door: Admission, member_id: str, name: str) -> str:
    shown = door.network_name("tavern", member_id, name, "matrix")
    facts = door.admit("tavern", Applicant(member_id, shown)) or {}
    action = SimpleAction("join", "tavern", member_id, facts)
    await driver.service.submit(UpEvent("join", f"{member_id}-{name}", "tavern", member_id, action))
    return driver.service.members("tavern")[member_id].name


async def test_who_has_a_name_that_is_taken_is_told_apart(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        door = Admission(driver.service, 100)
        await driver.join("ann")
        assert await come(driver, door, "matrix/1", "Ann") == "Ann-matrix"
        assert await come(driver, door, "matrix/2", "\u0430nn") == "\u0430nn-matrix2"
        assert await come(driver, door, "matrix/1", "Ann") == "Ann-matrix", "the same again"
        assert await come(driver, door, "matrix/3", "moderator") == "moderator-matrix"
        assert await come(driver, door, "matrix/4", "\u3164") == "somebody"
        assert await come(driver, door, "matrix/5", "bob") == "bob"
        assert await come(driver, door, "matrix/5", "carl") == "carl"


async def test_of_two_whose_names_look_alike_one_comes_in_when_both_ask_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        page, matrix = Admission(driver.service, 100), Admission(driver.service, 100)
        asked = [("m-1", "anna", page), ("matrix/1", "\u0430nna", matrix)]
        facts = {member_id: door.admit("tavern", Applicant(member_id, name)) for member_id, name, door in asked}
        joins = [UpEvent("join", each, "tavern", each, SimpleAction("join", "tavern", each, facts[each])) for each in facts]
        answers = await asyncio.gather(*map(driver.service.submit, joins))
        assert [answer.ok for answer in answers] == [True, False]
        assert list(driver.service.members("tavern")) == ["m-1"]


async def test_a_name_that_looks_like_another_is_free_once_its_owner_left(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        door = Admission(driver.service, 100)
        await driver.join("anna")
        with pytest.raises(AdmissionRefused):
            door.admit("tavern", Applicant("matrix/1", "\u0430nna"))
        await driver.service.submit(UpEvent("leave", "x", "tavern", "anna", SimpleAction("leave", "tavern", "anna")))
        assert await come(driver, door, "matrix/1", "\u0430nna") == "\u0430nna"

"""Who belongs to a channel, as several processes know it."""

from __future__ import annotations

from typing import Any

import pytest

from mooring.channels.members import Members

JOINED = [f"member {number * 7919 % 101}" for number in range(40)]


def kept(number: int, name: str) -> dict[str, Any]:
    return {"joined": float(number), "name": name, "role": "member"}


@pytest.mark.parametrize("is_told_which", [True, False])
def test_those_who_came_through_another_process_stand_in_the_order_in_which_they_joined(is_told_which: bool) -> None:
    stored: dict[str, Any] = {}
    members = Members(stored)
    for number, name in sorted(enumerate(JOINED), key=lambda each: each[1]):  # an engine has an order of its own, and so have news
        stored[name] = kept(number, name)
    members.catch_up(sorted(JOINED) if is_told_which else None)
    assert list(members) == JOINED

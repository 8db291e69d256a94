"""An outage is two lines in the log, however long it is and however many it concerns."""

from __future__ import annotations

import logging

import pytest

from mooring.outages import Outage


def test_the_log_is_told_when_it_begins_and_when_the_last_one_is_well_again(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("kettle"), "no tea", "tea again")
    outage.worked("tavern")
    for _ in range(3):
        outage.failed("the water is gone", "tavern")
        outage.failed("the water is gone", "library")
    outage.worked("tavern")
    assert caplog.messages == ["no tea (tavern): the water is gone"]
    outage.worked("library")
    outage.failed("no cups", "tavern")
    outage.forget_others({"library"})
    assert caplog.messages == ["no tea (tavern): the water is gone", "tea again", "no tea (tavern): no cups", "tea again"]

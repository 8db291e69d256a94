"""What a homeserver answers is read, whatever people wrote into it."""

from __future__ import annotations

import pytest

from mooring.plugins.matrix.answers import Page, Synced, decoded
from mooring.plugins.matrix.troubles import Away


@pytest.mark.parametrize(
    "odd",
    [b'"a\\ud800b"', b"1e400", b"-1e400", b"[" * 200 + b"]" * 200, b"NaN", b"null"],
    ids=["half of a letter", "too large", "too small", "deep", "no number", "nothing"],
)
def test_one_odd_event_keeps_no_others_from_being_read(odd: bytes) -> None:
    page = decoded(b'{"chunk": [{"content": {"body": "good"}}, {"content": {"body": %s}}]}' % odd, Page)
    assert page.chunk[0] == {"content": {"body": "good"}}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"next_batch": 7}', b"\xff", b'{"next_batch": ' + b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000]
)
def test_what_is_no_answer_is_one_trouble(body: bytes) -> None:
    with pytest.raises(Away, match="not understood"):
        decoded(body, Synced)

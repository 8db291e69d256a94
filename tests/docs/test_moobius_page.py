"""docs/moobius.md has the table that the code is made from."""

from __future__ import annotations

from pathlib import Path

from mooring.sdk.surface_page import with_table

PAGE = Path(__file__).parents[2] / "docs" / "moobius.md"


def test_the_table_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "python -m mooring.sdk.surface_page docs/moobius.md"

"""The page that leads through the source names what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_every_file_that_it_names_exists() -> None:
    named = [name for name in re.findall(r"`([\w./-]+)`", TEXT) if re.search(r"^\w+/|\.(py|js|md)$", name)]
    assert len(named) > 60
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_it_names_every_room() -> None:
    rooms = [folder for top in ("storage", "mooring", "plugins") for folder in (ROOT / top).iterdir() if (folder / "__init__.py").exists()]
    assert [room for room in (folder.relative_to(ROOT).as_posix() for folder in rooms) if room not in TEXT] == []


def test_it_answers_what_newcomers_ask() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", TEXT[TEXT.index("## Where do I change what") :], re.MULTILINE)
    asked = ["engine", "gateway", "limit", "argument type", "snapshot format", "frame", "metric", "command of `mooring`", "history", "shown twice"]
    assert [question for question in asked if not any(question in row for row in rows)] == []

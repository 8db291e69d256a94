"""The counts of lines on the comparison page are those of the code on it and in the examples."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "comparison.md").read_text("utf-8")
BOTS = {"counter": "Counter", "role play": "Role play", "poll": "Poll"}
OURS = {"counter": "counter", "role play": "rpg", "poll": "poll"}


def lines_of(source: str) -> int:
    return sum(1 for line in source.splitlines() if line.strip())


def theirs(bot: str, framework: str) -> str:
    section = TEXT.split(f"\n## {BOTS[bot]}\n")[1].split("\n## ")[0]
    match = re.search(rf"^```python {re.escape(framework)}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("bot", BOTS)
def test_the_counts_are_true(bot: str) -> None:
    row = re.search(rf"^\| {bot} \| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    assert row is not None
    ours = (ROOT / "examples" / f"{OURS[bot]}.py").read_text("utf-8")
    assert [int(count) for count in row.groups()] == [lines_of(ours), lines_of(theirs(bot, "discord.py")), lines_of(theirs(bot, "errbot"))]


@pytest.mark.parametrize("bot", BOTS)
@pytest.mark.parametrize("framework", ["discord.py", "errbot"])
def test_the_others_are_python_too(bot: str, framework: str) -> None:
    ast.parse(theirs(bot, framework))

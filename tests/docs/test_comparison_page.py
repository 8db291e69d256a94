"""The comparison page: its counts of lines are those of the code on it and in the examples, its figures those of the results file."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from benchmarks.bots import BOTS as BENCHMARKED

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


def test_the_figures_are_those_of_the_results_file() -> None:
    """`make bench-bots BOTS_ARGS='--output docs/comparison.json'` writes the file anew; the page has to follow."""
    found = json.loads((ROOT / "docs" / "comparison.json").read_text("utf-8"))
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", TEXT, re.MULTILINE)
    columns = ("acknowledged", "lost", "doubled", "unreadable")
    assert [(name, *map(int, figures)) for name, *figures in rows] == [
        (name, *(result[column] for column in columns)) for name, result in found["results"].items()
    ]
    assert {(result["commands"], result["sent_twice"], result["kills"]) for result in found["results"].values()} == {(400, 40, 20)}
    run = (
        f"Run on {found['date']} with Python {found['python']}, discord.py {found['versions']['discord.py']} and errbot {found['versions']['errbot']}"
    )
    assert run in " ".join(TEXT.split())


def test_the_table_names_every_bot_that_the_benchmark_runs() -> None:
    assert set(json.loads((ROOT / "docs" / "comparison.json").read_text("utf-8"))["results"]) == set(BENCHMARKED)

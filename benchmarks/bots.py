"""The counters of three frameworks, killed again and again: `python -m benchmarks.bots [--kills 20] [--commands 400] [--output FILE]`.

Each bot is a process of its own with one folder. Eight members give commands side by side, each one after the other; one command in ten is sent
twice with one id, as by a client that heard no answer; `kill -9` comes at drawn moments, and what had no answer then is sent again with its id.
After every start each member asks for its count. Lost is what a member was told and is not there any more; doubled is what was counted without a
command of its own; unreadable are starts that fail, or answer with an error, until the operator takes the files away.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bots_counting import Bot, Result, run
from benchmarks.bots_discord import DiscordBot
from benchmarks.bots_mooring import MooringBot
from benchmarks.bots_processes import ErrBot

MEMBERS = 8
BOTS: dict[str, Callable[[Path], Bot]] = {
    "Mooring": MooringBot,
    "discord.py, write_text": lambda folder: DiscordBot(folder, "write_text"),
    "discord.py, tmp and rename": lambda folder: DiscordBot(folder, "rename"),
    "discord.py, sqlite3": lambda folder: DiscordBot(folder, "sqlite3"),
    "errbot, gdbm": lambda folder: ErrBot(folder, "gdbm"),
    "errbot, dbm.dumb": lambda folder: ErrBot(folder, "dumb"),
}
COLUMNS = ("acknowledged", "lost", "doubled", "unreadable")


def here(console: Console) -> list[str]:
    """The bots that can run on this machine."""
    missing = [name for name in BOTS if name == "errbot, gdbm" and not importlib.util.find_spec("_gdbm")]
    for name in missing:
        console.print(f"{name} is left out: this Python has no dbm.gnu")
    return [name for name in BOTS if name not in missing]


def measure(console: Console, names: list[str], commands: int, kills: int, seed: int) -> dict[str, Result]:
    """One bot after the other, all with the same commands and kills."""
    results = {}
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            bot = BOTS[name](Path(folder) / "bot")
            report = lambda line, name=name: console.print(f"{name}: {line}", markup=False)  # noqa: E731
            results[name] = asyncio.run(run(bot, commands=commands, kills=kills, members=MEMBERS, seed=seed, report=report))
        console.print(f"{name}: {time.monotonic() - began:.0f} s")
    return results


def show(console: Console, results: dict[str, Result]) -> None:
    table = Table(title="Commands acknowledged; counts lost and doubled; unreadable starts")
    for column in ("bot", *COLUMNS):
        table.add_column(column, justify="left" if column == "bot" else "right")
    for name, result in results.items():
        table.add_row(name, *(str(getattr(result, column)) for column in COLUMNS))
    console.print(table)


def as_json(results: dict[str, Result], seed: int) -> dict[str, Any]:
    """What a results file holds."""
    versions = {name: version(name) for name in ("mooring", "discord.py", "errbot")}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": sys.version.split()[0],
        "versions": versions,
        "members": MEMBERS,
        "seed": seed,
        "results": {name: asdict(result) for name, result in results.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--commands", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bot", action="append", choices=BOTS, help="only this one; may be repeated")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/bots.json"))
    options = parser.parse_args()
    if not 1 <= options.kills <= options.commands:
        parser.error("--kills must be at least 1, and at most --commands")
    if not all(importlib.util.find_spec(name) for name in ("discord", "errbot")):
        parser.error("discord.py and errbot are not installed; `make bench-bots` installs them")
    console = Console(width=140)
    results = measure(console, options.bot or here(console), options.commands, options.kills, options.seed)
    show(console, results)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(as_json(results, options.seed), indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

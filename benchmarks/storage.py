"""Mooring's storage beside what people use today, all in one run.

    make bench                                          the whole run, several minutes
    python benchmarks/storage.py --keys 1000 --rounds 2     under a minute

Contenders take turns in every round, and each figure is the median of the rounds with its spread; figures of different runs
or machines are not to be compared. Competitors come with `pip install .[bench]`; those that are missing are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path


def start() -> None:
    """Run with the repository's root first on the path: Python puts this folder there, whose storage.py would hide the package."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    import typer

    from benchmarks.comparison import main

    typer.run(main)


if __name__ == "__main__":
    start()

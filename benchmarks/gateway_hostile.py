"""What others feel of clients that mean harm: `python -m benchmarks.gateway_hostile [--quick]`.

Ten members give a command now and then, half of them in the channel that is attacked, half in another one. Their round trips are taken
in peace and under each attack, in turns within a round and on a server of its own each time; medians are over the rounds. The server
has the limits that it is shipped with. The attackers share one address, and each member has their own; but all come by one proxy, so that
handshakes which never end are limited for all together only. Attackers, members and server share the processors of this machine, so a
part of what the attackers cost is what they take from the members directly.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.gateway import clients, median, server
from benchmarks.gateway_attackers import KINDS

PEACE = "peace"
MEMBERS, CHANNELS = 10, 2
BOUND = 3.0
"""How many times a median may become what it is in peace."""


@contextmanager
def attack(kind: str, url: str) -> Iterator[None]:
    """Attackers at work, from when they have come in until the end of the block."""
    if kind == PEACE:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.gateway_attackers", kind, url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def measure(rounds: int, seconds: float) -> dict[str, list[dict[str, float]]]:
    """Attack -> one result a round."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for kind in (PEACE, *KINDS):
            with server("guarded", CHANNELS) as (url, process), attack(kind, url):
                result = clients("paced", url, MEMBERS, CHANNELS, seconds)
                result["memory"] = process.memory_info().rss
            found.setdefault(kind, []).append(result)
    return found


def show(console: Console, found: dict[str, list[dict[str, float]]]) -> None:
    """Latencies, and what they are of those in peace."""
    table = Table(title="Round trips of members who do no harm, in milliseconds")
    for column in ("under", "channel", "p50", "p99", "p50 of that in peace", f"at most {BOUND:g}", "server's memory"):
        table.add_column(column, justify="left" if column in {"under", "channel"} else "right")
    for kind, results in found.items():
        for place, name in enumerate(("attacked", "another")):
            p50, p99 = (median(results, f"{share} of channel-{place}") for share in ("p50", "p99"))
            ratio = p50 / median(found[PEACE], f"p50 of channel-{place}")
            verdict = "" if kind == PEACE else "met" if ratio <= BOUND else "missed"
            memory = f"{median(results, 'memory') / 1e6:.0f} MB"
            table.add_row(kind, name, f"{p50 * 1e3:.2f}", f"{p99 * 1e3:.2f}", f"{ratio:.2f}", verdict, memory)
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    console = Console(width=140)
    console.print(f"Python {sys.version.split()[0]}, {psutil.cpu_count()} processors")
    show(console, measure(1, 4.0) if quick else measure(5, 10.0))


if __name__ == "__main__":
    main()

"""The gateway beside a bare echo and a server written by hand: `python -m benchmarks.gateway [--quick]`.

Servers and clients are separate processes on this machine, and all of them are websockets' own client, so the figures are those of the
pair. A round trip of ours is: frame in, handler, a commit that is synced to the disk, the reply, its acknowledgement. Contenders
take turns within a round, and medians are over the rounds. All aims are ratios of figures of this one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks.aims import Aim
from benchmarks.tables import print_aims

SETTINGS = [(members, channels) for members in (50, 500) for channels in (1, 10, 100)]
"""Members altogether, and the channels over which they are spread."""
ECHO, MOORING, BY_HAND = "echo", "mooring", "by hand"

Results = dict[tuple[int, int], dict[str, list[dict[str, float]]]]
"""Setting -> contender -> one result a round."""


@contextmanager
def server(name: str, channels: int) -> Iterator[tuple[str, psutil.Process]]:
    """A server process; its address and its process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.gateway_servers", name, str(channels), folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def clients(kind: str, url: str, members: int, channels: int, seconds: float) -> dict[str, float]:
    """What the client process measured."""
    command = [sys.executable, "-m", "benchmarks.gateway_clients", kind, url, str(members), str(channels), str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure_round_trips(contenders: list[str], rounds: int, seconds: float) -> Results:
    """Let all contenders do all settings, in turns."""
    found: Results = {}
    for _ in range(rounds):
        for members, channels in SETTINGS:
            for name in contenders:
                with server(name, channels) as (url, _):
                    kind = "echo" if name == ECHO else "frames"
                    result = clients(kind, url, members, channels, seconds)
                found.setdefault((members, channels), {}).setdefault(name, []).append(result)
    return found


def memory_of_idle_members(name: str, members: int) -> float:
    """Bytes for each idle member, of the server process."""
    with server(name, 10) as (url, process):
        before = process.memory_info().rss
        command = [sys.executable, "-m", "benchmarks.gateway_clients", "idle", url, str(members), "10", "0"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            grown = process.memory_info().rss - before
            waiting.communicate("go\n")
        return float(grown) / members


def median(results: list[dict[str, float]], key: str) -> float:
    return statistics.median(result[key] for result in results)


def show(console: Console, found: Results) -> None:
    """Rates and latencies, with what they are of the echo's."""
    table = Table(title="Command round trips")
    for column in ("members", "channels", "server", "a second", "of echo", "p50 ms", "p99 ms", "p99 of echo's"):
        table.add_column(column, justify="left" if column == "server" else "right")
    for (members, channels), by_name in found.items():
        base_rate, base_p99 = median(by_name[ECHO], "rate"), median(by_name[ECHO], "p99")
        for name, results in by_name.items():
            rate, p99 = median(results, "rate"), median(results, "p99")
            times = [f"{median(results, 'p50') * 1e3:.2f}", f"{p99 * 1e3:.2f}", f"{p99 / base_p99:.1f}"]
            table.add_row(str(members), str(channels), name, f"{rate:,.0f}", f"{rate / base_rate:.2f}", *times)
    console.print(table)


def aims_of(found: Results) -> Iterator[Aim]:
    """How far it got in each setting."""
    for (members, channels), by_name in found.items():
        where = f"{members} members, {channels} channel{'s' if channels > 1 else ''}"
        rate, p99 = median(by_name[MOORING], "rate"), median(by_name[MOORING], "p99")
        yield Aim(f"{where}: rate, of the echo's", rate / median(by_name[ECHO], "rate"), 0.25, at_least=True)
        if BY_HAND in by_name:
            yield Aim(f"{where}: rate, times that of the server by hand", rate / median(by_name[BY_HAND], "rate"), 1.8, at_least=True)
        yield Aim(f"{where}: p99, times the echo's", p99 / median(by_name[ECHO], "p99"), 5, at_least=False)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    quick = parser.parse_args().quick
    rounds, seconds, crowd = (1, 1.5, 300) if quick else (5, 4.0, 1_000)
    console = Console(width=140)
    contenders = [ECHO, MOORING]
    if importlib.util.find_spec("aiohttp"):
        contenders.append(BY_HAND)
    else:
        console.print("aiohttp is not installed, so the server written by hand is left out")
    console.print(f"Python {sys.version.split()[0]}, websockets {version('websockets')}, {psutil.cpu_count()} processors")
    found = measure_round_trips(contenders, rounds, seconds)
    show(console, found)
    print_aims(console, list(aims_of(found)), "Aims of the round trips")
    fans: dict[str, list[dict[str, Any]]] = {ECHO: [], MOORING: []}
    for _ in range(rounds):
        for name, results in fans.items():
            with server(name, 1) as (url, _):
                results.append(clients("fan-out", url, crowd, 1, 20))
    bare, ours = median(fans[ECHO], "p50"), median(fans[MOORING], "p50")
    console.print(
        f"Fan-out of one message to {crowd:,} members: bare broadcast {bare * 1e3:.1f} ms, mooring {ours * 1e3:.1f} ms, {ours / bare:.2f} times"
    )
    for name in fans:
        console.print(f"Memory of an idle member: {name} {memory_of_idle_members(name, crowd) / 1024:.1f} KiB")


if __name__ == "__main__":
    main()

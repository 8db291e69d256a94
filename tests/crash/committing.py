"""A process that commits and says so, until it is killed: `python committing.py FOLDER FIRST SEED`.

Commit n leaves n at one of a few keys of two dicts, in one commit; its line on standard output is its acknowledgement. Odd
seeds commit from an event loop with several tasks at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

from storage.database_interface import DomainChanges, Origin
from storage.json.database import JSONDatabase

DOMAINS = ("service_1.channel_x.a", "service_1.channel_x.b")
KEYS = 7
TASKS = 5


def changes_of(number: int) -> list[tuple[str, bytes | None]]:
    key = f"key{number % KEYS}"
    if number % 11 == 0:
        return [(key, None), ("last", b"%d" % number)]
    return [(key, b'{"n":%d,"filler":"%b"}' % (number, b"x" * (number % 300))), ("last", b"%d" % number)]


def main(folder: str, first: int, seed: int) -> None:
    databases = [JSONDatabase(domain, folder, checkpoint_bytes=3000) for domain in DOMAINS]
    numbers = iter(range(first, sys.maxsize))
    if seed % 2:
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


def _acknowledge(number: int) -> None:
    os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

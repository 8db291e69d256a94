"""A process that commits and says so, until it is killed: `python committing.py FOLDER FIRST SEED`.

Commit n adds n to the key `total` in both dicts and leaves n at one of a few keys of each, in one commit; its line on standard
output is its acknowledgement. Odd rounds commit from an event loop with several tasks at once.
"""

from __future__ import annotations

import asyncio
import os
import sys

from storage.database_interface import DomainChanges, Origin
from storage.json_database import JSONDatabase

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
    batch = lambda number: [DomainChanges(database, changes_of(number)) for database in databases]  # noqa: E731
    origin = Origin("m", "e")
    if seed % 2:
        asyncio.run(_commit_from_tasks(databases[0], batch, first))
    number = first
    while True:
        databases[0].commit_batch(batch(number), origin, sync=number % 3 == 0)
        _acknowledge(number)
        number += 1


async def _commit_from_tasks(database: JSONDatabase, batch: object, first: int) -> None:
    assert callable(batch)
    numbers = iter(range(first, sys.maxsize))

    async def work() -> None:
        for number in numbers:
            await database.commit_batch_async(batch(number), Origin(), sync=True)
            _acknowledge(number)

    await asyncio.gather(*(work() for _ in range(TASKS)))


def _acknowledge(number: int) -> None:
    os.write(1, b"%d\n" % number)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

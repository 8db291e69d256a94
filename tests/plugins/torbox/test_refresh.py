"""Generations: readers see the one or the other, and two refreshes at once are one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mooring.plugins.torbox.account import Account
from mooring.plugins.torbox.config import TorBoxConfig
from mooring.plugins.torbox.database_functions import find, getAllData, insertData, refresh, search
from mooring.plugins.torbox.errors import ImplausibleAnswer, TorBoxError, TorBoxRefused
from mooring.plugins.torbox.pool import SHARED_POOL
from mooring.plugins.torbox.records import collect
from tests.plugins.torbox.torbox_server import TorBoxServer, Trouble, make_items


def records(count: int, first: int = 1, **more: Any) -> list[dict[str, Any]]:
    return [{**record, **more} for record in collect("torrents", make_items(count, first=first)).records]


def unwatched(_what: str, _done: int, _total: int | None) -> None:
    pass


@asynccontextmanager
async def account(server: TorBoxServer, **config: Any) -> AsyncIterator[Account]:
    account = Account(TorBoxConfig(api_url=server.url, **config), SHARED_POOL, lambda down: None)
    try:
        yield account
    finally:
        await account.close()


class Polling:
    """Threads that read all the while and note what is wrong with what they saw."""

    def __init__(self, *reads: Callable[[], str | None]) -> None:
        self.complaints: list[str] = []
        self.reads = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._poll, args=(read,), daemon=True) for read in reads]

    def __enter__(self) -> Polling:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _poll(self, read: Callable[[], str | None]) -> None:
        while not self._over.is_set():
            self.reads += 1
            if complaint := read():
                self.complaints.append(complaint)


def test_readers_never_see_a_short_or_mixed_list_during_fifty_refreshes() -> None:
    lists = [records(300, first=1, generation=0), records(300, first=101, generation=1)]
    refresh("torrents", lists[0])

    def read_all() -> str | None:
        data, success, message = getAllData("torrents")
        if not success or data is None:
            return message
        generations = {record["generation"] for record in data}
        return None if len(data) == 300 and len(generations) == 1 else f"{len(data)} records of {generations}"

    def read_by_search() -> str | None:
        found = search("torrents", "film number")
        return None if len(found) == 300 else f"{len(found)} found"

    def read_by_key() -> str | None:
        return None if find("torrents", 250, 0) else "item 250 is missing"

    with Polling(read_all, read_all, read_by_search, read_by_key) as polling:
        for number in range(50):
            refresh("torrents", lists[(number + 1) % 2])
    assert polling.complaints == []
    assert polling.reads > 50


async def test_two_refreshes_at_once_become_one(server: TorBoxServer, key: str) -> None:
    server.items["torrents"] = make_items(50)
    async with account(server) as own:
        first, second = await asyncio.gather(own.refresh("torrents", unwatched), own.refresh("torrents", unwatched))
        assert first is second
        assert first.generation.number == 1
        assert [request.query["offset"] for request in server.requests] == ["0", "45"]
        third = await own.refresh("torrents", unwatched)
        assert third.generation.number == 2
        assert (third.added, third.removed, third.changed) == (0, 0, 0)


async def test_one_who_stops_waiting_does_not_stop_the_refresh_of_the_other(server: TorBoxServer, key: str) -> None:
    server.items["torrents"] = make_items(5)
    server.troubles.append(Trouble(hang=0.3))
    async with account(server) as own:
        impatient = asyncio.create_task(own.refresh("torrents", unwatched))
        patient = asyncio.create_task(own.refresh("torrents", unwatched))
        while not server.requests:
            await asyncio.sleep(0.01)
        impatient.cancel()
        assert (await patient).added == 5


async def test_closing_ends_a_refresh_that_hangs(server: TorBoxServer, key: str) -> None:
    server.troubles.append(Trouble(hang=60))
    async with account(server) as own:
        task = asyncio.create_task(own.refresh("torrents", unwatched))
        while not server.requests:
            await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_keeps_what_is_there_and_is_remembered_until_the_next_success(server: TorBoxServer, key: str) -> None:
    server.items["torrents"] = make_items(5)
    async with account(server) as own:
        await own.refresh("torrents", unwatched)
        server.troubles.append(Trouble(status=404, body=b'{"success": false, "detail": "gone"}'))
        with pytest.raises(TorBoxRefused, match="gone"):
            await own.refresh("torrents", unwatched)
        assert "gone" in own.failures["torrents"].reason
        assert len(getAllData("torrents")[0] or []) == 5
        await own.refresh("torrents", unwatched)
        assert own.failures == {}


async def test_refreshing_in_the_background_goes_on_after_failures(server: TorBoxServer, key: str) -> None:
    server.items["webdl"] = make_items(4)
    server.troubles.append(Trouble(status=404))
    async with account(server, refresh_minutes=0.0005) as own:
        own.start()
        while len([request for request in server.requests if "webdl" in request.path]) < 3:
            await asyncio.sleep(0.01)
        generation = await own.generation("webdl")
    assert generation is not None
    assert generation.records == 4


async def test_names_that_are_known_are_not_read_again(server: TorBoxServer, key: str) -> None:
    server.items["torrents"] = make_items(3)
    async with account(server) as own:
        await own.refresh("torrents", unwatched)
        database = SHARED_POOL.get("torrents")
        database.update({"metadata_title": "Corrected by hand"}, doc_ids=[2])
        refreshed = await own.refresh("torrents", unwatched)
    assert refreshed.changed == 0
    assert [record["metadata_title"] for record in getAllData("torrents")[0] or []][1] == "Corrected by hand"


@pytest.mark.parametrize(
    ("before", "after", "plausible"),
    [(0, 0, True), (3, 0, False), (200, 0, False), (200, 19, False), (200, 20, True), (50, 1, True)],
)
def test_what_is_plausible(before: int, after: int, plausible: bool) -> None:
    refresh("torrents", records(before))
    if plausible:
        refresh("torrents", records(after))
    else:
        with pytest.raises(ImplausibleAnswer, match=f"has {after} files, the one that is kept has {before}"):
            refresh("torrents", records(after))
        assert len(getAllData("torrents")[0] or []) == before
        refresh("torrents", records(after), force=True)
    assert len(getAllData("torrents")[0] or []) == after


def test_bad_records_are_skipped_and_counted() -> None:
    good = records(3)
    bad: list[Any] = [{**good[0], "item_id": "x"}, {"item_id": 5}, {**good[1], "type": "usenet"}, good[2], {**good[0], "file_size": -1, "file_id": 9}]
    refreshed = refresh("torrents", [*good, *bad])
    assert (refreshed.added, refreshed.skipped.count) == (3, 5)
    assert "5 skipped" in str(refreshed)


def test_doubles_and_foreign_documents_go_with_the_next_generation() -> None:
    for record in records(2):
        insertData(record, "torrents")
        insertData(record, "torrents")
    insertData({"item_id": ["odd"], "file_id": None}, "torrents")
    refreshed = refresh("torrents", records(2))
    assert (refreshed.added, refreshed.removed, refreshed.changed) == (0, 3, 0)
    assert [record.doc_id for record in getAllData("torrents")[0] or []] == [1, 3]


def test_records_may_come_from_a_generator_and_carry_more_fields() -> None:
    def generate() -> Iterator[dict[str, Any]]:
        yield from records(3, note={"mine": [1, 2]})

    refresh("torrents", generate())
    assert [record["note"] for record in getAllData("torrents")[0] or []] == [{"mine": [1, 2]}] * 3
    assert refresh("torrents", generate()).changed == 0


def test_faults_of_torbox_are_one_family() -> None:
    assert issubclass(ImplausibleAnswer, TorBoxError)

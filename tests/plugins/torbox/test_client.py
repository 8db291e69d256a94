"""The client against a TorBox that misbehaves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from mooring import SecretFound
from mooring.plugins.torbox.api_key import ApiKey, KeyMissing
from mooring.plugins.torbox.budget import RequestBudget
from mooring.plugins.torbox.client import RequestLimits, TorBoxClient
from mooring.plugins.torbox.errors import LimitReached, TorBoxRefused, TorBoxUnavailable, UnexpectedAnswer
from tests.plugins.torbox.torbox_server import KEY, TorBoxServer, Trouble, make_items

QUICK = RequestLimits(page_size=100, attempts=4, first_pause=0.01, longest_pause=2.0)
IMPATIENT = RequestLimits(timeout=0.3, total_timeout=1.0, attempts=4, first_pause=0.01)
"""Only for servers that hang: a busy machine may take as long for an answer that comes."""


class Sleeper:
    """Sleeps without waiting, and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


@pytest.fixture
async def client(server: TorBoxServer, key: str, sleeper: Sleeper) -> AsyncIterator[TorBoxClient]:
    async with TorBoxClient(ApiKey(), server.url, limits=QUICK, sleep=sleeper) as client:
        yield client


async def test_it_reads_every_page(client: TorBoxClient, server: TorBoxServer) -> None:
    server.items["usenet"] = make_items(250)
    pages: list[int] = []

    async def note(count: int) -> None:
        pages.append(count)

    assert await client.list_items("usenet", note) == server.items["usenet"]
    assert pages == [100, 190, 250]
    assert {request.path for request in server.requests} == {"/v1/api/usenet/mylist"}
    assert all("token" not in request.query for request in server.requests)


async def test_a_server_that_gives_smaller_pages_than_asked_for_loses_nothing(client: TorBoxClient, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(95)
    server.largest_page = 30
    assert len(await client.list_items("torrents")) == 95


async def test_a_server_that_knows_no_offset_ends_the_list(client: TorBoxClient, server: TorBoxServer) -> None:
    page = json.dumps({"success": True, "data": make_items(3)}).encode()
    server.troubles.extend([Trouble(body=page), Trouble(body=page), Trouble(body=page)])
    assert len(await client.list_items("torrents")) == 3
    assert len(server.requests) == 2


async def test_an_empty_account_may_answer_null(client: TorBoxClient, server: TorBoxServer) -> None:
    server.troubles.append(Trouble(body=b'{"success": true, "error": null, "detail": "", "data": null}'))
    assert await client.list_items("webdl") == []


async def test_too_many_requests_are_repeated_after_the_time_that_was_asked_for(client: TorBoxClient, server: TorBoxServer, sleeper: Sleeper) -> None:
    server.items["torrents"] = make_items(5)
    server.troubles.append(Trouble(status=429, headers={"Retry-After": "1"}))
    assert len(await client.list_items("torrents")) == 5
    assert sleeper.slept[0] == 1.0


async def test_retry_after_may_be_a_date(client: TorBoxClient, server: TorBoxServer, sleeper: Sleeper) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.troubles.append(Trouble(status=429, headers={"Retry-After": date}))
    await client.list_items("torrents")
    assert 0 <= sleeper.slept[0] <= 2


async def test_a_limit_that_lasts_too_long_is_told_and_not_waited_for(client: TorBoxClient, server: TorBoxServer, sleeper: Sleeper) -> None:
    server.troubles.append(Trouble(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(LimitReached, match="3600 s"):
        await client.list_items("torrents")
    assert sleeper.slept == []


async def test_troubles_of_the_server_are_tried_again_with_growing_pauses(client: TorBoxClient, server: TorBoxServer, sleeper: Sleeper) -> None:
    server.items["torrents"] = make_items(1)
    server.troubles.extend([Trouble(status=500), Trouble(status=503), Trouble(status=502)])
    assert len(await client.list_items("torrents")) == 1
    assert len(sleeper.slept) == 3
    assert sleeper.slept == sorted(sleeper.slept)


async def test_after_all_attempts_it_says_what_it_met(client: TorBoxClient, server: TorBoxServer) -> None:
    server.troubles.extend([Trouble(status=500)] * 4)
    with pytest.raises(TorBoxUnavailable, match="status 500"):
        await client.list_items("torrents")
    assert len(server.requests) == 4


async def test_a_hanging_server_is_given_up(server: TorBoxServer, key: str, sleeper: Sleeper) -> None:
    server.troubles.extend([Trouble(hang=30)] * 4)
    async with TorBoxClient(ApiKey(), server.url, limits=IMPATIENT, sleep=sleeper) as client:
        with pytest.raises(TorBoxUnavailable, match="in time"):
            await client.list_items("torrents")
    assert len(sleeper.slept) == 3


async def test_half_a_body_is_tried_again(client: TorBoxClient, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(5)
    server.troubles.append(Trouble(cut=100))
    assert len(await client.list_items("torrents")) == 5


async def test_nobody_there_is_told_without_the_address(key: str, sleeper: Sleeper) -> None:
    async with TorBoxClient(ApiKey(), "http://127.0.0.1:9", limits=QUICK, sleep=sleeper) as client:
        with pytest.raises(TorBoxUnavailable, match="cannot be reached") as caught:
            await client.request_link("torrents", 1, 2)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"<html>maintenance</html>", "body"),
        (b"[1, 2]", "body"),
        (b'{"success": true}', "data"),
        (b'{"success": true, "data": {"id": 1}}', "data"),
        (b'{"success": true, "data": "soon"}', "data"),
    ],
)
async def test_an_answer_of_another_shape_names_the_field(client: TorBoxClient, server: TorBoxServer, body: bytes, field: str) -> None:
    server.troubles.append(Trouble(body=body))
    with pytest.raises(UnexpectedAnswer, match=field) as caught:
        await client.list_items("torrents")
    assert caught.value.field == field


async def test_a_refusal_is_told_and_not_repeated(client: TorBoxClient, server: TorBoxServer) -> None:
    server.key = "another-key-than-ours"
    with pytest.raises(TorBoxRefused, match="does not accept the key"):
        await client.list_items("torrents")
    assert len(server.requests) == 1


async def test_a_refusal_that_repeats_the_key_is_redacted(client: TorBoxClient, server: TorBoxServer) -> None:
    server.troubles.append(Trouble(status=400, body=json.dumps({"success": False, "detail": f"token {KEY} is odd"}).encode()))
    with pytest.raises(TorBoxRefused) as caught:
        await client.list_items("torrents")
    assert KEY not in str(caught.value)


async def test_a_redirect_is_not_followed(client: TorBoxClient, server: TorBoxServer) -> None:
    server.troubles.append(Trouble(status=302, headers={"Location": server.url + "/v1/api/torrents/mylist"}, body=b"{}"))
    with pytest.raises(UnexpectedAnswer, match="status"):
        await client.list_items("torrents")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("kind", "parameter"), [("torrents", "torrent_id"), ("usenet", "usenet_id"), ("webdl", "web_id")])
async def test_a_link_is_asked_for_by_the_ids_of_its_kind(client: TorBoxClient, server: TorBoxServer, kind: str, parameter: str) -> None:
    server.items[kind] = make_items(2)
    assert await client.request_link(kind, 2, 0) == server.link  # type: ignore[arg-type]
    assert server.requests[0].query == {"token": KEY, parameter: "2", "file_id": "0"}


async def test_a_link_that_holds_the_key_is_refused(client: TorBoxClient, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(1)
    server.link = f"https://cdn.torbox.example/?token={KEY}"
    with pytest.raises(SecretFound) as caught:
        await client.request_link("torrents", 1, 0)
    assert KEY not in str(caught.value)


async def test_without_a_key_it_says_how_to_set_one(server: TorBoxServer) -> None:
    async with TorBoxClient(ApiKey(environment={}), server.url) as client:
        with pytest.raises(KeyMissing, match="TORBOX_API_KEY"):
            await client.list_items("torrents")
    assert server.requests == []


async def test_cancelling_a_fetch_ends_it_at_once(key: str, server: TorBoxServer) -> None:
    server.troubles.append(Trouble(hang=30))
    async with TorBoxClient(ApiKey(), server.url) as client:
        fetch = asyncio.create_task(client.list_items("torrents"))
        while not server.requests:
            await asyncio.sleep(0.01)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch


async def test_twenty_thousand_files_come_whole(key: str, server: TorBoxServer) -> None:
    server.items["torrents"] = make_items(2_000, files=10)
    async with TorBoxClient(ApiKey(), server.url) as client:
        items = await client.list_items("torrents")
    assert sum(len(item["files"]) for item in items) == 22_000


async def test_the_budget_is_shared_and_held(key: str, server: TorBoxServer) -> None:
    now = [1000.0]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    budget = RequestBudget(3, 60.0, clock=lambda: now[0], sleep=sleep)
    async with TorBoxClient(ApiKey(), server.url, budget=budget) as one, TorBoxClient(ApiKey(), server.url, budget=budget) as other:
        for client in (one, other, one):
            await client.list_items("torrents")
        assert waits == []
        now[0] += 10
        await other.list_items("torrents")
    assert waits == [50.0]


async def test_a_limit_closes_the_budget_for_everybody(key: str, server: TorBoxServer) -> None:
    now = [0.0]
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    budget = RequestBudget(clock=lambda: now[0], sleep=sleep)
    budget.close_for(7)
    await budget.take()
    assert waits == [7.0]


async def test_no_log_line_holds_the_key(client: TorBoxClient, server: TorBoxServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")
    server.items["torrents"] = make_items(1)
    await client.request_link("torrents", 1, 0)
    assert "requestdl" in caplog.text
    assert KEY not in caplog.text

"""Whether a running service can do its work, and what is wrong if not."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mooring.channels.channel import HostedChannel
from storage import DatabaseInterface, MoobiusStorage
from storage.errors import StorageError

_PROBES_AT_ONCE = 16
_PROBED_KEY = "health"
"""Asked for in every engine; whether it is there makes no difference."""


def health(hosted: Mapping[str, HostedChannel], now: float, *, is_up: bool) -> dict[str, Any]:
    """JSON-ready facts. It asks every engine, which blocks for as long as the slowest of them."""
    problems = [] if is_up else ["the service is not up"]
    channels = {}
    with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
        answers = dict(zip(hosted, pool.map(lambda channel: _storage_problem(channel.storage), hosted.values()), strict=True))
    for channel_id, channel in hosted.items():
        found = [problem for problem in (answers[channel_id], _commit_problem(channel), _queue_problem(channel)) if problem]
        problems += [f"channel {channel_id}: {problem}" for problem in found]
        last = channel.state.last_commit
        channels[channel_id] = {
            "storage_answers": answers[channel_id] is None,
            "waiting": channel.queue.depth,
            "last_commit": last,
            "seconds_since_commit": None if last is None else max(0.0, now - last),
        }
    return {"ready": not problems, "problems": problems, "channels": channels}


def _storage_problem(storage: MoobiusStorage) -> str | None:
    asked = set()
    for name in storage.names():
        engine: DatabaseInterface = getattr(storage, name).database
        if engine.group() in asked:
            continue
        asked.add(engine.group())
        try:
            engine.load_one(_PROBED_KEY)
        except StorageError as error:
            return f"storage does not answer: {error}"
        if engine.problem is not None:
            return engine.problem
    return None


def _commit_problem(channel: HostedChannel) -> str | None:
    failure = channel.state.last_failure
    return None if failure is None else f"the last commit failed: {failure}"


def _queue_problem(channel: HostedChannel) -> str | None:
    return f"the queue is full ({channel.queue.depth} events)" if channel.queue.is_full else None

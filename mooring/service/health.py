"""Whether a running service can do its work, and what is wrong if not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from mooring.channels.channel import HostedChannel
from mooring.channels.damage import damage_note
from storage import DatabaseInterface, MoobiusStorage
from storage.errors import StorageError

_PROBES_AT_ONCE = 16
_PROBE_SECONDS = 5.0
_PROBED_KEY = "health"
"""Asked for in every engine; whether it is there makes no difference."""


def health(hosted: Mapping[str, HostedChannel], now: float, problems: Sequence[str], notes: Sequence[str]) -> dict[str, Any]:
    """JSON-ready facts. It asks every engine, which blocks for as long as the slowest of them, up to some seconds.

    `problems` are others that keep the service from being ready; `notes` are problems that do not.
    """
    problems, notes = list(problems), list(notes)
    channels = {}
    answers = _storage_problems(hosted)
    for channel_id, channel in hosted.items():
        asked = (answers[channel_id], _commit_problem(channel), _queue_problem(channel), channel.workers.problem())
        found = [problem for problem in asked if problem]
        problems += [f"channel {channel_id}: {problem}" for problem in found]
        damaged = damage_note(channel.storage)
        notes += [f"channel {channel_id}: {damaged}"] if damaged else []
        notes += [] if found else [f"channel {channel_id}: {note}" for note in channel.storage.notices()]
        last = channel.state.last_commit
        channels[channel_id] = {
            "storage_answers": answers[channel_id] is None,
            "waiting": channel.queue.depth,
            "last_commit": last,
            "seconds_since_commit": None if last is None else max(0.0, now - last),
        }
    return {"ready": not problems, "problems": [*problems, *notes], "channels": channels}


def _storage_problems(hosted: Mapping[str, HostedChannel]) -> dict[str, str | None]:
    pool = ThreadPoolExecutor(_PROBES_AT_ONCE)
    asked = {channel_id: pool.submit(_storage_problem, channel.storage) for channel_id, channel in hosted.items()}
    wait(asked.values(), _PROBE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    late = f"storage did not answer within {_PROBE_SECONDS:g} s"
    return {channel_id: answer.result() if answer.done() and not answer.cancelled() else late for channel_id, answer in asked.items()}


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
    return next(iter(storage.problems()), None)


def _commit_problem(channel: HostedChannel) -> str | None:
    failure = channel.state.last_failure
    return None if failure is None else f"the last commit failed: {failure}"


def _queue_problem(channel: HostedChannel) -> str | None:
    return f"the queue is full ({channel.queue.depth} events)" if channel.queue.is_full else None

"""Whether a running service can do its work, and what is wrong if not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mooring.channels.channel import HostedChannel
from mooring.channels.damage import damage_note
from mooring.channels.gauges import Reading
from mooring.service.probes import EngineProbes


def health(
    hosted: Mapping[str, HostedChannel], now: float, problems: Sequence[str], notes: Sequence[str], probes: EngineProbes
) -> dict[str, Any]:
    """JSON-ready facts. It asks the engines, which blocks for as long as the slowest of them, up to some seconds.

    `problems` are others that keep the service from being ready; `notes` are problems that do not.
    """
    problems, notes = list(problems), list(notes)
    channels = {}
    failures = {channel_id: failure for channel_id, channel in hosted.items() if (failure := channel.state.last_failure)}
    engines = probes.ask({channel_id: channel.storage for channel_id, channel in hosted.items()}, failures)
    for channel_id, channel in hosted.items():
        state = engines[channel_id]
        failed = state.failure and f"the last commit failed: {state.failure}"
        asked = (state.unanswered, failed, _queue_problem(channel), channel.workers.problem())
        found = [problem for problem in asked if problem]
        problems += [f"channel {channel_id}: {problem}" for problem in found]
        damaged = damage_note(channel.storage)
        notes += [f"channel {channel_id}: {damaged}"] if damaged else []
        notes += [] if found else [f"channel {channel_id}: {note}" for note in channel.storage.notices()]
        last = channel.state.last_commit
        channels[channel_id] = {
            "storage_answers": state.unanswered is None,
            "waiting": channel.queue.depth,
            "last_commit": last,
            "seconds_since_commit": None if last is None else max(0.0, now - last),
        }
    return {"ready": not problems, "problems": [*problems, *notes], "channels": channels}


def readings(hosted: Mapping[str, HostedChannel], probes: EngineProbes, down: Collection[str]) -> Iterator[Reading]:
    """The same as gauges, as far as it is known without asking engines; `down` are the tasks that have ended and should not have."""
    channels = dict(hosted)
    failing = {channel_id: probes.is_failing(channel.storage, channel.state.last_failure) for channel_id, channel in channels.items()}
    values = [({"channel": channel_id}, float(is_failing)) for channel_id, is_failing in failing.items()]
    yield "mooring_commits_failing", "Whether the newest commit of a channel failed, and no write was kept since.", values
    yield "mooring_tasks_down", "Tasks that must not end, have, and are about to be started again.", [({}, float(len(down)))]


def _queue_problem(channel: HostedChannel) -> str | None:
    return f"the queue is full ({channel.queue.depth} events)" if channel.queue.is_full else None

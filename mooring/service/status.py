"""What a running service tells its operator of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from mooring.bots.schedule import Schedule
from mooring.channels.channel import HostedChannel
from mooring.channels.system_dicts import SCHEDULES
from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.gateways.deliveries import Deliveries
from mooring.text import clip, suggestion
from mooring.version import __version__
from storage import MoobiusStorage

_MOST_CHANNELS = 1000
_MOST_PROBLEMS = 100
_PROBLEM_LENGTH = 500
"""What is more is counted, so that all of it is one line on the control socket."""


class TellsStatus(Protocol):
    """A running service."""

    async def status(self, channel_id: str | None) -> dict[str, Any]:
        """JSON-ready facts, of one channel or of all. Raises CommandError for a channel that is not there."""


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """One channel; all without one."""

    channel_id: str | None = None


def chosen(hosted: Mapping[str, HostedChannel], channel_id: str | None) -> dict[str, HostedChannel]:
    """The channels to tell of. Raises CommandError if there is no such channel."""
    if channel_id is None:
        return dict(list(hosted.items())[:_MOST_CHANNELS])
    if channel_id not in hosted:
        raise CommandError(f"No channel {clip(channel_id)} is open here.{suggestion(channel_id, hosted)}")
    return {channel_id: hosted[channel_id]}


def planned(storage: MoobiusStorage) -> dict[str, int]:
    """How many calls are scheduled, and how many were given up. Reads all of them."""
    failed = [call.has_failed for call in Schedule(SCHEDULES.of(storage)).calls()]
    return {"planned": failed.count(False), "given_up": failed.count(True)}


def describe(
    told: Mapping[str, HostedChannel],
    hosted: Mapping[str, HostedChannel],
    health: Mapping[str, Any],
    schedules: Mapping[str, Mapping[str, int]],
    *,
    deliveries: Deliveries,
    now: float,
) -> dict[str, Any]:
    """The facts of the channels that are `told` of, out of all that are hosted. On the event loop."""
    problems: Sequence[str] = health["problems"]
    return {
        "version": __version__,
        "pid": os.getpid(),
        "ready": health["ready"],
        "problems": [clip(problem, _PROBLEM_LENGTH) for problem in problems[:_MOST_PROBLEMS]],
        "more_problems": max(0, len(problems) - _MOST_PROBLEMS),
        "channels": {
            channel_id: {
                "name": clip(channel.config.title, 100),
                "members": len(channel.state.members),
                "here": len(channel.state.members.present()),
                **health["channels"].get(channel_id, {}),
                "outbox": {
                    network: {"waiting": waiting.count, "oldest_seconds": max(0.0, now - waiting.since)}
                    for network, waiting in deliveries.waiting(channel_id).items()
                },
                "schedules": schedules[channel_id],
            }
            for channel_id, channel in told.items()
        },
        "channels_in_all": len(hosted),
    }


async def _status(service: TellsStatus, asked: Which) -> dict[str, Any]:
    return await service.status(asked.channel_id)


STATUS_COMMANDS: tuple[ControlCommand[TellsStatus], ...] = (ControlCommand("status", Which, _status),)

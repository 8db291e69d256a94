"""Asking the server how a channel's history goes on from what is known here, and what to do if it does not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from storage.errors import StorageError
from storage.redis.channel import RedisChannel
from storage.redis.history import EMPTY, Entry, Position, read_entry, read_mending
from storage.redis.requirements import commands_needed
from storage.redis.scripts import CATCH_UP, MEND, NOTHING_KNOWN, RIGHTS, Request

_TRIES = 10
"""Others may feed the channel while it is asked for, or mend it; then the answer is old."""

_AT_ONCE = 100
"""Channels; more in one request would hold up the connection for too long."""


def catch_up(channel: RedisChannel) -> None:
    """Make sure that what is known here is what the server has. Raises StorageUnavailable, or StorageError if it refuses."""
    channel.settle()
    resync(channel)
    channel.notify()


def look(channels: Sequence[RedisChannel]) -> None:
    """The same for many channels of one server at once, which costs a round trip where all is well."""
    for first in range(0, len(channels), _AT_ONCE):
        questions = [_Question(channel) for channel in channels[first : first + _AT_ONCE] if channel.position is not None]
        answers = channels[0].client.run_all([question.request for question in questions])
        for question, answer in zip(questions, answers, strict=True):
            if isinstance(answer, StorageError) or not question.take(answer):
                resync(question.channel)
            question.channel.notify()


def mend(channel: RedisChannel) -> None:
    """As `resync`, when a commit found that the record and the stream do not belong together."""
    with channel.guard:
        known, names = channel.position or EMPTY, _wanted(channel)
    _mend(channel, known, names)
    resync(channel)


def resync(channel: RedisChannel) -> None:
    """As `catch_up`, for who holds the lock of the channel, and will notify those who listen."""
    if channel.position is None:
        _check_rights(channel)
    for _ in range(_TRIES):
        question = _Question(channel)
        request = question.request
        if question.take(channel.client.run(request.script, request.keys, request.arguments)):
            return
    raise StorageError(f"{channel.record.decode(errors='backslashreplace')} keeps changing while it is read")


class _Question:
    """How the history goes on from what is known at this moment."""

    def __init__(self, channel: RedisChannel) -> None:
        self.channel = channel
        self._asked = time.monotonic()
        with channel.guard:
            self._known = channel.position
            self._names = _wanted(channel)
            seen = (0, 0, NOTHING_KNOWN) if self._known is None else self._known
            arguments = [*seen, int(channel.must_reload), int(channel.client.address.replicas > 0), *self._names]
        hashes = [channel.prefix + name for name in self._names]
        self.request = Request(CATCH_UP, [channel.record, channel.stream, channel.last_commit, *hashes], arguments)

    def take(self, answer: Sequence[Any]) -> bool:
        """Take over what the server says. False if it has to be asked once more."""
        channel, known = self.channel, self._known
        if answer[0] == b"broken":
            _mend(channel, known or EMPTY, self._names)
            return False
        relation, version, epoch, newest, kind, last, found = answer
        now = Position(int(epoch), version, newest)
        kept = list(_kept(channel)) if relation == b"fork" else []
        with channel.guard:
            if channel.position != known:
                return False
            if known is None:
                channel.begin_at(now)
            elif kind == b"commits":
                if not channel.feed(found):
                    return False
            else:
                gone = channel.history.lost(version, kept, channel.client.process, _number(last)) if relation != b"chained" else []
                channel.replace(now, dict(zip(self._names, found, strict=True)))
                if gone or relation == b"fork":
                    channel.begins_epoch = True
                    channel.notices.lost(known, now, gone)
            channel.caught_up(self._asked)
        return True


def _wanted(channel: RedisChannel) -> list[bytes]:
    return [name for name, domain in channel.domains.items() if domain.wanted]


def _check_rights(channel: RedisChannel) -> None:
    """Raises StorageError. Before anything is done, since a script that may not go on in the middle leaves half of its work."""
    keys = [channel.record, channel.stream, channel.last_commit, channel.turn, channel.prefix]
    refused = channel.client.run(RIGHTS, [channel.record], [commands_needed(channel.client.address, keys)])
    if refused:
        names = ", ".join(sorted(name.decode().lower() for name in refused))
        raise StorageError(f"the user of Redis at {channel.client.address.name} may not use {names}; docs/scaling.md has the rights that it needs")


def _mend(channel: RedisChannel, known: Position, names: Sequence[bytes]) -> None:
    epoch = channel.new_epoch()
    name = b"%b-mend:%d" % (channel.client.process, epoch)
    keys = [channel.record, channel.stream, *(channel.prefix + each for each in names)]
    outcome, *detail = channel.client.run(MEND, keys, [epoch, name, known.version, known.newest, *names])
    if outcome == b"forbidden":
        command, key = (part.decode(errors="backslashreplace") for part in detail)
        raise StorageError(f"{key} is to be mended, and the user of this connection may not {command} it; docs/scaling.md has the rights")
    if outcome == b"mended":
        channel.notices.mended(read_mending(detail[-1]))


def _kept(channel: RedisChannel) -> Iterator[Entry]:
    """All commits that the server still has."""
    for number, parts in channel.client.call("XRANGE", channel.stream, "-", "+"):
        with suppress(ValueError):
            yield read_entry(number, parts)


def _number(last_commit: bytes) -> int | None:
    """The number of our last commit that the server knows, if it says."""
    found = re.match(rb"(\d+):", last_commit)
    return int(found[1]) if found else None

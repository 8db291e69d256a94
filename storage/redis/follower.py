"""Following what other processes commit: one thread per server, for all channels that are served here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from storage.engine_support.worker import Worker
from storage.errors import StorageError
from storage.redis.address import RedisAddress
from storage.redis.channel import RedisChannel
from storage.redis.history import EMPTY
from storage.redis.resync import catch_up, look

_log = logging.getLogger(__name__)

_BLOCK_MILLISECONDS = 300
"""How long the server holds a question to which there is no answer yet. It is also how soon a new channel is followed."""

_LOOK_AGAIN_SECONDS = 2.0
"""Streams do not tell that their server has lost something, or evicted it. The record does, so it is asked for now and then."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_MOST_AT_ONCE = 500
_OWN_PAUSE = 0.003


class Asker(Protocol):
    """What sends commands."""

    address: RedisAddress

    def call(self, *command: Any) -> Any: ...

    def call_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]: ...


class RedisFollower:
    """Feeds the streams of followed channels to them. Its thread starts with the first channel and needs no event loop."""

    def __init__(self, client: Asker) -> None:
        self._client = client
        self._channels: dict[RedisChannel, int] = {}
        self._lock = threading.Lock()
        self._thread: Worker | None = None
        self._stopping = threading.Event()
        self.problem: str | None = None
        """Why nothing comes in at the moment."""

    def follow(self, channel: RedisChannel) -> Callable[[], None]:
        """Follow a channel until the result is called as often as this."""
        with self._lock:
            self._channels[channel] = self._channels.get(channel, 0) + 1
            channel.followed = True
            if self._thread is None:
                self._thread = Worker(self._run, "mooring-redis-follower")
                self._thread.start()
        return lambda: self._unfollow(channel)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _unfollow(self, channel: RedisChannel) -> None:
        with self._lock:
            left = self._channels.pop(channel, 1) - 1
            if left:
                self._channels[channel] = left
            channel.followed = bool(left)

    def _run(self) -> None:
        known: set[RedisChannel] = set()
        pause = _FIRST_PAUSE
        looked = 0.0
        while not self._stopping.is_set():
            with self._lock:
                channels = list(self._channels)
            try:
                if time.monotonic() - looked > _LOOK_AGAIN_SECONDS:
                    looked = time.monotonic()
                    look(channels)
                for channel in channels:
                    if channel not in known or channel.is_old:
                        catch_up(channel)
                known = set(channels)
                self._wait(channels)
            except Exception as error:  # noqa: BLE001 - nobody else tells the channels what is new, so this goes on whatever happens
                self._note(error)
                known.clear()
                for channel in channels:
                    channel.lost()
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._note(None)
                pause = _FIRST_PAUSE

    def _note(self, error: Exception | None) -> None:
        """Tell of a problem when it begins and when it ends, and not each time in between."""
        if error is None and self.problem is not None:
            _log.warning("Redis at %s answers again, and what others commit comes in", self._client.address.name)
        elif error is not None and self.problem is None:
            _log.warning("what others commit does not come in for now: %s", error, exc_info=None if isinstance(error, StorageError) else error)
        self.problem = None if error is None else f"what others commit is not known here: {error}"

    def _wait(self, channels: Sequence[RedisChannel]) -> None:
        """Until something happens in one of the channels, or nothing for a while."""
        if not channels:
            self._stopping.wait(_BLOCK_MILLISECONDS / 1000)
        elif self._client.address.kind == "cluster":
            self._poll(channels)
        else:
            block = min(_BLOCK_MILLISECONDS, int(self._client.address.timeout * 500))
            streams = [channel.stream for channel in channels]
            after = [_seen(channel) for channel in channels]
            answer = self._client.call("XREAD", "COUNT", _MOST_AT_ONCE, "BLOCK", block, "STREAMS", *streams, *after)
            by_stream = dict(answer or ())
            found = [_feed(channel, by_stream.get(channel.stream, ())) for channel in channels]
            if answer and not any(found):
                # Our own commits come back here, too. Where nobody else commits, once in a while is often enough.
                self._stopping.wait(_OWN_PAUSE)

    def _poll(self, channels: Sequence[RedisChannel]) -> None:
        # One request cannot wait for streams of several slots, and a connection for each channel would be one too many.
        answers = self._client.call_all([("XRANGE", channel.stream, b"(" + _seen(channel), "+", "COUNT", _MOST_AT_ONCE) for channel in channels])
        for channel, entries in zip(channels, answers, strict=True):
            _feed(channel, entries)
        if not any(answers):
            self._stopping.wait(_FIRST_PAUSE)


def _seen(channel: RedisChannel) -> bytes:
    return (channel.position or EMPTY).stream_id


def _feed(channel: RedisChannel, entries: Sequence[Any]) -> bool:
    """Whether there was something of others."""
    if not entries:
        return False
    if channel.client.address.replicas and channel.are_news(entries):
        catch_up(channel)  # which waits for the replicas
        return True
    if not channel.feed(entries):
        channel.behind = True
        return True
    return channel.notify()

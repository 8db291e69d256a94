"""Sending what waits for one room, one after the other, each once as far as the network can tell."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NoReturn

from msgspec.structs import replace

from mooring.channels.outbox import Outbox
from mooring.clock import Clock
from mooring.containment import within
from mooring.gateways.carriers import Carrier, Letter, undelivered_letter
from mooring.gateways.lease import Lease
from mooring.gateways.marks import LeaseLost, Mark, Marks, Tried
from mooring.posts import Abilities, Answer, Later, Refused, Sent, Unsure
from mooring.rooms import Room, WhenUnsure

log = logging.getLogger(__name__)

SEND_SECONDS = 60.0
"""How long a gateway may take; after that nobody knows whether the room has it."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 15.0
_SHORT_PAUSE = 2.0
"""For so many seconds a process keeps the room while its network is to be left alone."""

_LINGER = 1.0
"""For so many seconds it keeps a room for which nothing is left, so that not every message takes and gives back the room."""

_FORESIGHT = 0.5
"""The part of the time for which a network remembers keys after which each try is noted before it is made."""


class Interrupted(Exception):
    """The room is left with something still to be sent."""


class RoomSender:
    """One for each room and process. `run` it whenever there may be something to send, once at a time."""

    def __init__(
        self,
        room: Room,
        *,
        channel_id: str,
        outbox: Outbox,
        marks: Marks,
        lease: Lease,
        carrier: Carrier,
        when_unsure: Callable[[], WhenUnsure],
        clock: Clock,
    ) -> None:
        self.room = room
        self._channel_id = channel_id
        self._outbox = outbox
        self._marks = marks
        self._lease = lease
        self._carrier = carrier
        self._when_unsure = when_unsure
        self._clock = clock
        self._is_stopping = False
        self._roused = asyncio.Event()
        self._woken = asyncio.Event()
        self._mark = Mark()
        self._counts: Counter[str] = Counter()
        """What is not in the mark yet."""
        self._doubt: Tried | None = None
        """What is known of earlier tries of the letter in hand."""
        self._foretold = 0
        """The number whose first try is noted already."""

    @property
    def can_send(self) -> bool:
        """Whether there is something to send and a way to the room."""
        return not self._is_stopping and self._outbox.head(self.room) is not None and self._carrier.abilities() is not None

    def stop(self) -> None:
        """Finish what is being sent, and send nothing more."""
        self._is_stopping = True
        self._roused.set()
        self._woken.set()

    def wake(self) -> None:
        """There is something new to send."""
        self._woken.set()

    def rouse(self) -> None:
        """Wait no longer for the network: it can be reached again."""
        self._roused.set()

    async def run(self) -> None:
        """Send until nothing waits. Raises StorageError if the storage was closed."""
        while self.can_send:
            not_before = self._marks.get(self.room).not_before
            await self._pause(not_before - self._clock())
            with suppress(LeaseLost, Interrupted):
                async with self._lease.held(self._is_wanted) as mark:
                    self._mark = mark
                    # Not asked of the clock again: it may be set, and nothing waits by it.
                    if mark.not_before == not_before or self._roused.is_set():
                        await self._send_all(is_new=not self._lease.was_given_back)
            self.catch_up()

    def catch_up(self) -> None:
        """Take over how far the room has got."""
        self._outbox.settle(self.room, self._marks.get(self.room).done)

    def _is_wanted(self) -> bool:
        self.catch_up()
        return self.can_send

    async def _send_all(self, *, is_new: bool) -> None:
        """`is_new` if who sent before did not come to an end, so that the first letter may have been tried."""
        while (letter := await self._next()) is not None:
            noted = self._mark.tried if self._mark.tried and self._mark.tried.number == letter.number else None
            self._doubt = None if letter.number == self._foretold else noted
            if is_new and noted is None and _tries_without_note(self._carrier.abilities()):
                self._doubt = Tried(letter.number, letter.at, is_open=True)
            is_new = False
            await self._deliver(letter)
        if self._foretold:
            await self._change(tried=Tried(self._foretold, self._clock(), is_open=False))
            self._foretold = 0

    async def _next(self) -> Letter | None:
        """The letter to deliver next, if there is one within a moment."""
        self._woken.clear()
        if self._marks.is_shared and not self._is_stopping and self._outbox.head(self.room) is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _LINGER)
        return self._head() if self.can_send else None

    def _head(self) -> Letter | None:
        head = self._outbox.head(self.room)
        if head is None:
            return None
        number, entry = head
        letter = Letter(number, entry.key, entry.at, self._outbox.record(entry) or {}, entry.message_id)
        missing = number - self._mark.done - 1 if self._marks.is_known(self.room) else 0
        return undelivered_letter(self._channel_id, missing, letter) if missing > 0 and self._carrier.tells_gaps else letter

    async def _deliver(self, letter: Letter) -> None:
        """One letter, until it is done. Raises Interrupted if that has to wait, LeaseLost and StorageError."""
        pause = _FIRST_PAUSE
        while (abilities := self._carrier.abilities()) is not None and not self._is_stopping:
            if self._is_superseded(letter):
                await self._end(letter, abilities, "passed_over")
                return
            answer = await self._answer(letter, abilities)
            if not isinstance(answer, Later):
                await self._end(letter, abilities, self._ending(answer), answer.id if isinstance(answer, Sent) else "")
                return
            log.log(logging.INFO if pause == _FIRST_PAUSE else logging.DEBUG, "%s is asked again later: %s", self.room, answer.reason)
            await self._wait(letter, answer.seconds or pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        await self._leave(letter, 0.0)

    def _is_superseded(self, letter: Letter) -> bool:
        """Whether it is an edit, and a newer one of the same message waits."""
        is_newer_there = self._outbox.is_superseded(self.room, letter.number, letter.message_id)
        return is_newer_there and bool(self._marks.network_id(self.room, letter.message_id))

    def _ending(self, answer: Sent | Refused | Unsure) -> str:
        if isinstance(answer, Sent):
            return "sent"
        is_refused = isinstance(answer, Refused)
        what = "was refused a message" if is_refused else "may or may not have sent a message"
        log.warning("channel %s %s to %s: %s", self._channel_id, what, self.room, answer.reason)
        return "refused" if is_refused else "unsure"

    async def _answer(self, letter: Letter, abilities: Abilities) -> Answer:
        """What became of it. Unsure is the last word; what can still be found out, or tried again, is for later."""
        if self._doubt is not None and self._doubt.is_open and not self._is_remembered(abilities, self._doubt):
            settled = await self._look(letter, abilities, self._doubt)
            if settled is not None:
                return settled
        before = self._doubt
        if not abilities.find and self._clock() - letter.at >= abilities.once_by_key * _FORESIGHT:
            await self._note(letter)
        elif not self._lease.is_fresh:
            await self._lease.renew()
        self._foretold = 0
        self._roused.clear()
        answer: Answer = await self._ask(self._carrier.carry(letter))
        if not isinstance(answer, Answer):
            answer = Unsure(f"its gateway answered {answer!r:.100}")
        if isinstance(answer, Unsure):
            self._doubt = Tried(letter.number, before.since if before and before.is_open else self._clock(), is_open=True)
            if self._is_remembered(abilities, self._doubt) or abilities.find or self._when_unsure() == "repeat":
                return Later(answer.seconds, answer.reason)
        elif isinstance(answer, Later) and (before is None or not before.is_open):
            self._doubt = Tried(letter.number, self._clock(), is_open=False)
            if self._mark.tried is not None:
                await self._change(tried=self._doubt)
        return answer

    async def _look(self, letter: Letter, abilities: Abilities, doubt: Tried) -> Answer | None:
        """Find out about a letter that may have arrived; None if it is to be sent."""
        if abilities.find:
            found = await self._ask(self._carrier.find(letter))
            if isinstance(found, str):
                return Sent(found)
            if found is not None:
                return found if isinstance(found, Later) else Later(reason=f"its gateway did not find out: {found!r:.100}")
            self._doubt = None
            return None
        if self._when_unsure() == "repeat":
            self._counts["unsure"] += 1
            self._doubt = None
            return None
        return Unsure(f"it was tried at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(doubt.since))} UTC, and no answer was noted")

    def _is_remembered(self, abilities: Abilities, doubt: Tried) -> bool:
        """Whether the network still knows the key of that try again."""
        return self._clock() - doubt.since < abilities.once_by_key

    async def _note(self, letter: Letter) -> None:
        """Let everybody know that the letter is being tried, before it is."""
        noted = self._mark.tried
        if noted is None or noted.number != letter.number or not noted.is_open:
            await self._change(tried=Tried(letter.number, self._clock(), is_open=True))
        elif not self._lease.is_fresh:
            await self._lease.renew()

    async def _ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What the gateway says. What it raises, and what takes too long, leaves us unsure."""
        try:
            return await within(SEND_SECONDS, work, f"the gateway of {self.room}")
        except Exception as error:
            log.exception("the gateway of %s failed", self.room)
            return Unsure(f"its gateway failed: {type(error).__name__}")

    async def _end(self, letter: Letter, abilities: Abilities, ending: str, network_id: str = "") -> None:
        """Note what became of a letter, and in the same commit that the next is tried, where that has to be noted."""
        self._counts[ending] += 1
        is_new = network_id and letter.message_id and not self._marks.network_id(self.room, letter.message_id)
        following = self._outbox.after(self.room, letter.number)
        tried = None
        if following is not None and self.can_send and not _tries_without_note(abilities):
            self._foretold = following
            tried = Tried(following, self._clock(), is_open=True)
        await self._change((letter.message_id, network_id) if is_new else None, done=letter.number, tried=tried, not_before=0.0)
        self._doubt = None
        self._outbox.settle(self.room, letter.number)

    async def _wait(self, letter: Letter, seconds: float) -> None:
        self._counts["retries"] += 1
        if self._marks.is_shared and seconds > _SHORT_PAUSE:
            await self._leave(letter, seconds)
        await self._pause(seconds)

    async def _leave(self, letter: Letter, seconds: float) -> NoReturn:
        """Say what is known of a letter that is not done, for whoever goes on with it."""
        known = self._doubt or Tried(letter.number, self._clock(), is_open=False)
        await self._change(tried=known, not_before=self._clock() + seconds if seconds else 0.0)
        raise Interrupted

    async def _change(self, sent: tuple[str, str] | None = None, **fields: Any) -> None:
        counts = dict(self._counts)
        self._counts.clear()

        def alter(mark: Mark) -> Mark:
            return replace(mark, counts=dict(Counter(mark.counts) + Counter(counts)), **fields)

        self._mark = await self._lease.change(alter, sent)

    async def _pause(self, seconds: float) -> None:
        if seconds > 0 and not self._is_stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._roused.wait(), seconds)


def _tries_without_note(abilities: Abilities | None) -> bool:
    """Whether a letter may have been tried without anything being noted before."""
    return abilities is not None and bool(abilities.find or abilities.once_by_key)

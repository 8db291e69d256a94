"""How an entry of one channel's outbox gets to another channel: as a turn there, once.

In the commit of that turn is a mark: up to which number the entries of the sending channel's outbox were taken. What is not taken goes
back, in a turn of the channel that it came from: after the refusal is marked too, so that nobody takes it later.
"""

from __future__ import annotations

import logging
import math
import secrets
from functools import partial

from mooring.channels.channel import HostedChannel
from mooring.channels.other_channels import message_of, send_downs
from mooring.channels.system_dicts import INBOX
from mooring.channels.turn import Turn
from mooring.errors import CommandError
from mooring.events import Cause
from mooring.gateways.carriers import Letter
from mooring.gateways.returns import NOT_NOW, ChannelHooks, Returns
from mooring.posts import Abilities, Answer, Later, Refused, Sent
from mooring.protocols import UnknownChannel

log = logging.getLogger(__name__)

_PAUSES = (0.2, 1.0, 5.0)
"""Seconds after which a channel whose handler failed is asked again; after the last of them the message goes back."""

ReasonOrTaken = str
"""Why something was refused, empty if it was taken."""


class ChannelCarrier:
    """Brings letters from one channel to another."""

    tells_gaps = False

    def __init__(self, source: HostedChannel, to: str, hooks: ChannelHooks, returns: Returns) -> None:
        self._source = source
        self._to = to
        self._hooks = hooks
        self._returns = returns
        self._failing = ""
        self._failures = 0

    def abilities(self) -> Abilities | None:
        return Abilities(once_by_key=math.inf)

    async def find(self, letter: Letter) -> str | Later | None:
        return None

    async def carry(self, letter: Letter) -> Answer:
        try:
            reason = await self._take(letter)
            if reason:
                await self._returns.give_back(letter.key, self._to, reason)
        except NOT_NOW as error:
            return Later(reason=str(error))
        except _Failed as failure:
            return Later(failure.seconds, str(failure))
        return Refused(reason) if reason else Sent()

    async def _take(self, letter: Letter) -> ReasonOrTaken:
        target = self._hooks.hosted(self._to)
        if target is None:
            return str(UnknownChannel(self._to))
        try:
            return await target.queue.run(partial(self._arrive, letter))
        except NOT_NOW:
            raise  # it is tried again for as long as it takes
        except CommandError as error:
            reason = str(error) or "It was refused."
        except Exception as error:  # noqa: BLE001 - handlers may raise anything, and it is told below
            reason = self._failed(letter, error)
        return await target.queue.run(partial(self._refuse, letter, reason))

    async def _arrive(self, letter: Letter, turn: Turn) -> ReasonOrTaken:
        known = self._known(letter, turn)
        if known is not None:
            return known
        event = letter.content["event"]
        message = message_of(letter.key, self._source.config.id, self._to, event)
        turn.work = f"a message from channel {self._source.config.id}"
        turn.sends.cause = Cause(message.id, message.member_id)
        if "downs" in event:
            send_downs(event, turn.sends)
        else:
            await self._hooks.arrived(message)
        self._mark(letter, turn, "")
        return ""

    async def _refuse(self, letter: Letter, reason: str, turn: Turn) -> ReasonOrTaken:
        known = self._known(letter, turn)
        if known is None:
            turn.work = f"a refusal to channel {self._source.config.id}"
            self._mark(letter, turn, reason)
        return reason if known is None else known

    def _known(self, letter: Letter, turn: Turn) -> ReasonOrTaken | None:
        """What became of the letter if it came before; None if it is new."""
        mark = INBOX.of(turn.storage).get(self._source.config.id)
        if mark is None or mark["from"] != letter.content["from"] or mark["number"] < letter.number:
            return None
        return str(mark["reason"]) if mark["number"] == letter.number else ""

    def _mark(self, letter: Letter, turn: Turn, reason: str) -> None:
        INBOX.of(turn.storage)[self._source.config.id] = {"from": letter.content["from"], "number": letter.number, "reason": reason}

    def _failed(self, letter: Letter, error: Exception) -> str:
        """Why it goes back, after several tries. Raises _Failed until then."""
        self._failures = self._failures + 1 if self._failing == letter.key else 1
        self._failing = letter.key
        reference = secrets.token_hex(3)
        log.error("channel %s failed with a message from channel %s (reference %s)", self._to, self._source.config.id, reference, exc_info=error)
        if self._failures <= len(_PAUSES):
            raise _Failed(f"its handler failed (reference {reference})", _PAUSES[self._failures - 1])
        return f"Something went wrong there (reference {reference}); nothing was changed."


class _Failed(Exception):
    def __init__(self, text: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(text)

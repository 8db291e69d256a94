"""Progress: one message in the channel that follows a long piece of work."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from mooring.errors import TurnEnded
from mooring.events import PROGRESS, Down, MessageBody, MessageContent
from mooring.protocols import Service


@dataclass(frozen=True)
class Shown:
    """Awaiting it lets others run for a moment; a `def` handler, which cannot await, may drop it."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Progress:
    """A bar that is updated in place. Made by `ctx.progress` and `background.progress`."""

    def __init__(
        self,
        service: Service,
        channel_id: str,
        clock: Callable[[], float],
        *,
        label: str,
        total: int | None,
        context: dict[str, Any],
        message_id: str = "",
        begun: Callable[[], object] = lambda: None,
    ) -> None:
        """`begun` is called when it is shown for the first time."""
        self.label = label
        self.total = total
        self.done = 0
        self._service = service
        self._channel_id = channel_id
        self._clock = clock
        self._context = context
        self._message_id = message_id or secrets.token_hex(8)
        self._begun = False
        self._tell_begun = begun
        self._is_over = False
        self._is_finished = False

    def update(self, done: int, label: str | None = None) -> Shown:
        """Show that `done` of `total` is done, at once: what the members see of it is not yet committed.

        Raises TurnEnded when the work is over to which it belongs.
        """
        self._check()
        self.done = done
        self.label = self.label if label is None else label
        is_first, self._begun = not self._begun, True
        if is_first:
            self._tell_begun()
        self._service.show(Down("message_down", self._channel_id, self.message()))
        return Shown()

    def finish(self, label: str) -> None:
        """Set the text that stays in the channel when the work is over. Raises TurnEnded when it is over."""
        self._check()
        self.label = label
        self._begun = self._is_finished = True

    @property
    def is_over(self) -> bool:
        """Whether the work is over to which it belongs."""
        return self._is_over

    def message(self) -> MessageBody:
        """The message as it stands."""
        count = f"{self.done}" if self.total is None else f"{self.done} of {self.total}"
        facts = {"done": self.done, "total": self.total, "label": self.label}
        return MessageBody(
            PROGRESS,
            self._channel_id,
            MessageContent(text=f"{self.label}: {count}"),
            timestamp=int(self._clock() * 1000),
            message_id=self._message_id,
            context={**self._context, "progress": facts},
        )

    def stop(self) -> None:
        """Show that the work ended without a result, so that nobody waits for it; its event is undone."""
        self.fail("stopped")
        if self._begun:
            self._service.show(Down("message_down", self._channel_id, self.message()))

    def fail(self, how: str) -> None:
        """The work ended without a result; `how` is said behind the label, unless the work has said how it ended."""
        self._is_over = True
        if not self._is_finished:
            self._is_finished = True
            self.label = f"{self.label} ({how})"

    def final(self) -> MessageBody | None:
        """The message that stays, None if nothing was ever shown. The work is over."""
        self._is_over = True
        return self.message() if self._begun else None

    def _check(self) -> None:
        if self._is_over:
            raise TurnEnded(f"the work of which {self.label!r} shows the progress is over")

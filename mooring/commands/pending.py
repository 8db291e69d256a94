"""What is pending between events: runs that go on, and questions that wait for a yes.

In memory only. A question that a restart forgets is asked again when its command is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mooring.errors import CommandError

_PATIENCE = 60.0


@dataclass(frozen=True)
class Question:
    """A command line that waits for a yes, and the questions in it that have been answered so."""

    line: str
    answered: frozenset[str]
    asked_at: float


class Runs:
    """Counts runs against the limit that `@at_most` sets. Used on the event loop only."""

    def __init__(self) -> None:
        self._going: Counter[str] = Counter()

    @contextmanager
    def one(self, command: str, most: int) -> Iterator[None]:
        """Count one run while the block lasts. Raises CommandError if there are as many as may be."""
        if self._going[command] >= most:
            times = "" if most == 1 else f" {most} times"
            raise CommandError(f"/{command} is running{times} already. Try again when it has finished.")
        self._going[command] += 1
        try:
            yield
        finally:
            self._going[command] -= 1


class PendingConfirmations:
    """The questions of one service, by channel and member."""

    def __init__(self) -> None:
        self._questions: dict[tuple[str, str], Question] = {}

    def ask(self, channel_id: str, member_id: str, question: Question) -> None:
        """Let a line wait for the member's yes, in place of one that may have waited before."""
        self._questions[channel_id, member_id] = question

    def waiting(self, channel_id: str, member_id: str, now: float) -> Question | None:
        """The line that waits for this member's yes, if it is not too old."""
        question = self._questions.get((channel_id, member_id))
        return question if question is not None and 0 <= now - question.asked_at <= _PATIENCE else None

    def forget(self, channel_id: str, member_id: str) -> None:
        """The line was run, or will not be."""
        self._questions.pop((channel_id, member_id), None)

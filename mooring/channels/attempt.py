"""One run of a turn, from its handler's end until it is known whether its commit is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage import Outcome
from storage.errors import CommitFailed


class Attempt:
    """What came of running a turn once.

    Its commit may still be on its way, as `outcome` tells. Nobody hears of the result before that has succeeded, and the
    commits of all turns before it; `accept` is called then. If one of them fails, the turn is run again.
    """

    __slots__ = ("accept", "error", "failure", "outcome", "result")

    def __init__(
        self,
        result: Any = None,
        *,
        error: BaseException | None = None,
        failure: CommitFailed | None = None,
        outcome: Outcome | None = None,
        accept: Callable[[], None] | None = None,
    ) -> None:
        self.result = result
        self.error = error
        """What the body raised; nothing that it changed is kept."""
        self.failure = failure
        """Why its commit failed, where that was known at its end."""
        self.outcome = outcome
        self.accept = accept
        """Takes over what is true once the commit is kept, and lets out what was sent."""

    @property
    def is_over(self) -> bool:
        """Whether it is known if its own commit is kept."""
        return self.outcome is None or self.outcome.done()

    def commit_failure(self) -> CommitFailed | None:
        """Why it is not kept, None if it is. Only when it is over."""
        if self.failure is not None or self.outcome is None:
            return self.failure
        error = self.outcome.exception()
        if error is None or isinstance(error, CommitFailed):
            return error
        raise error

"""One commit on its way through a journal."""

from __future__ import annotations

from typing import Any

import msgspec

from storage.errors import CommitFailed, PredecessorFailed, StorageError, StoreClosed
from storage.outcome import Outcome


class JournalEntry(msgspec.Struct, eq=False):
    """One commit: `text` is the JSON of its record after the sequence number, closing brace included.

    A struct of msgspec, which takes a third of the time to make, and one is made for every commit.
    """

    text: bytes
    sync: bool = True
    token: Any = None
    """Whatever `on_commit` needs to apply the commit."""
    after: JournalEntry | None = None
    """The commit that this one was built on: if that fails, so does this. It must have been handed in before, the same way."""
    done: bool = False
    cause: BaseException | None = None
    """Why it failed, or why the first of those failed that it was built on; None for a commit that is done."""
    outcome: Outcome | None = None

    def result(self) -> None:
        """Raises CommitFailed or StoreClosed if it is not in the log."""
        if self.cause is not None or not self.done:
            raise failure(self)


class ClosedError(OSError):
    """Inside of the journal a closed log is one more reason why a write fails."""


def failure(entry: JournalEntry) -> StorageError:
    """What to raise for an entry that failed; a new exception each time, as several threads may raise it."""
    own = _failure(entry.cause)
    if entry.after is not None and entry.after.cause is not None:
        return PredecessorFailed.after(own)
    return own


def _failure(cause: BaseException | None) -> StorageError:
    if isinstance(cause, ClosedError):
        return StoreClosed("the store is closed")
    error = CommitFailed(f"the disk refused the commit: {cause}; nothing was changed")
    error.__cause__ = cause
    return error

"""What goes wrong between us and a server, in the words of storage.

This is the one place where exceptions of redis-py become ours: `RedisClusterException` is no `RedisError`, a socket raises
what it likes, and new versions bring new ones. So what is not known here counts as a connection that failed.
"""

from __future__ import annotations

from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)

from storage.errors import StorageError, StorageUnavailable
from storage.redis.address import RedisAddress

_PASSING = (AskError, AuthenticationError, BusyLoadingError, ClusterDownError, OutOfMemoryError, ReadOnlyError)
"""Answers that say that the server cannot do it now, and may do it later. `AskError` is one that was followed in vain."""

_PASSING_CODES = ("MISCONF", "NOREPLICAS")
_MOMENTARY_CODES = ("BUSY", "UNBLOCKED")


class Unanswered(StorageUnavailable):
    """The server may have got the request, and what became of it is not known."""


class Unreplicated(Unanswered):
    """The server has done it, and may lose it again: fewer replicas have it than are to have what is acknowledged."""


class Momentary(StorageUnavailable):
    """The server is there, has not done it, and will in a moment: a script holds it up, or a slot is on its way to another node."""


class NoAnswer(Exception):
    """The connection failed, because of `cause`, between the request and its answer."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(str(cause))


class NotSent(NoAnswer):
    """There was no connection on which to send; so the server has certainly not seen the request."""


class TooFewReplicas(Exception):
    """What was written did not reach as many replicas in time as it has to, or nobody can say whether it did."""


class Unsuitable(Exception):
    """There is a server, and it must not be used."""


class Failures:
    """Makes our errors, each in one line that names the server and never a password."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    def of(self, error: Exception) -> StorageError:
        """The error to raise because of what `exchange` raised, or put in the place of an answer."""
        if not isinstance(error, NoAnswer):
            return self._of_answer(error)
        cause = error.cause
        made: StorageError
        if isinstance(cause, BusyLoadingError | AuthenticationError):  # redis-py closes the connection on these answers
            return self._of_answer(cause)
        if isinstance(cause, Unsuitable):
            made = StorageError(f"Redis at {self._address.name} {cause}")
        elif isinstance(cause, TooFewReplicas):
            made = Unreplicated(self._address.without_secrets(f"Redis at {self._address.name} {cause}"))
        elif not isinstance(error, NotSent):
            made = Unanswered(self._told(cause, "is not available"))
        elif isinstance(cause, ValueError | TypeError):
            made = StorageError(self._told(cause, "cannot be reached with these settings"))
        else:
            made = StorageUnavailable(self._told(cause, "is not available"))
        made.__cause__ = cause
        return made

    def _of_answer(self, error: Exception) -> StorageError:
        """The server answered with an error. It has not done what it was asked for."""
        made: StorageError
        if isinstance(error, TryAgainError) or _code(error) in _MOMENTARY_CODES:
            made = Momentary(self._told(error, "cannot do this at the moment"))
        elif isinstance(error, _PASSING) or _code(error) in _PASSING_CODES:
            made = StorageUnavailable(self._told(error, "is not available"))
        elif isinstance(error, NoPermissionError):
            made = StorageError(self._told(error, "refused the request") + "; docs/scaling.md has the rights that its user needs")
        else:
            made = StorageError(self._told(error, "refused the request"))
        made.__cause__ = error
        return made

    def _told(self, error: Exception, what: str) -> str:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return self._address.without_secrets(f"Redis at {self._address.name} {what}: {line}")


def _code(error: Exception) -> str:
    """The word with which the server begins; redis-py takes it away from those for which it has a class."""
    return str(error).partition(" ")[0]

"""Why a homeserver did not do what it was asked."""

from __future__ import annotations


class Trouble(Exception):
    """It was not done, or nobody knows. The text is for the operator."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds
        """For how long it wants to be left alone, if it said so."""


class Away(Trouble):
    """The homeserver did not answer, or not sensibly."""

    def __init__(self, reason: str, *, may_be_done: bool, seconds: float = 0.0) -> None:
        super().__init__(reason, seconds)
        self.may_be_done = may_be_done


class Limited(Trouble):
    """It was asked too often, and did nothing."""


class TokenRefused(Trouble):
    """The access token is good no more, or another user's."""


class Refusal(Trouble):
    """It understood, and will not do that."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code = code

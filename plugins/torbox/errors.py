"""What can go wrong between the cache and TorBox, in words for the member who asked."""

from __future__ import annotations


class TorBoxError(Exception):
    """The common ancestor; its text is fit for a message."""


class TorBoxUnavailable(TorBoxError):
    """TorBox could not be reached or is in trouble itself; the same request may succeed later."""


class LimitReached(TorBoxError):
    """TorBox asks for fewer requests; `retry_after` is in seconds."""

    def __init__(self, path: str, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"TorBox limits requests: {path} can be asked again in {retry_after:.0f} s.")


class TorBoxRefused(TorBoxError):
    """TorBox answered that it will not: the key is not accepted, or the request is not allowed."""


class UnexpectedAnswer(TorBoxError):
    """The answer does not have the documented shape; the text names the field."""

    def __init__(self, path: str, field: str, expected: str, found: object) -> None:
        self.field = field
        # Its sort and not the thing itself: nobody knows what stands in an answer that nobody expected.
        sort = {dict: "an object", list: "a list", str: "another text", int: "a number", type(None): "missing"}.get(type(found), "something else")
        super().__init__(f"TorBox's answer to {path} has an unexpected shape: {field} should be {expected}, and is {sort}.")


class ImplausibleAnswer(TorBoxError):
    """The list is far shorter than the one that is kept; a moderator can have it taken all the same."""

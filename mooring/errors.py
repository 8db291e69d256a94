"""What a plugin raises to turn a member down."""

from __future__ import annotations

import secrets


class CommandError(Exception):
    """Raised by a handler to refuse: its text is shown to the member, and nothing that the event had changed is kept.

    Everything else that a handler raises is a fault of the plugin: the member sees a reference number, the log the traceback.
    """


class PluginError(Exception):
    """A plugin is not made as it must be; the text says which one, what is wrong and what would be right."""


class HandlerFailed(Exception):
    """Stands for what a handler did that no caller could bear as it is, like raising SystemExit; that is its `__cause__`."""


class HandlerTimeout(HandlerFailed):
    """A handler did not return within `handler_seconds`."""


class HandlerBlocked(BaseException):
    """Raised in the middle of code that has blocked the event loop for `handler_seconds`.

    No Exception, for it is often a loop with `except Exception` in it that blocks.
    """


class Unsendable(PluginError):
    """A plugin sends what no client could be sent: too much, too many, or something that JSON cannot carry."""


class TurnEnded(PluginError):
    """A context was used after its event had been handled; nothing that it does could be kept any more."""


def new_reference() -> str:
    """What a member is told and the log has, so that an operator finds the one by the other."""
    return secrets.token_hex(3)


def as_exception(error: BaseException) -> Exception:
    """What a handler raised, as something that can be raised on in a task and set on a future.

    SystemExit and KeyboardInterrupt would end the event loop, GeneratorExit and CancelledError pass for something else, and a future
    refuses StopIteration, so that whoever waits for it waits for ever.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
        return error
    failed = HandlerFailed(f"it raised {type(error).__name__}{_text_of(error)}")
    failed.__cause__ = error
    return failed


def _text_of(error: BaseException) -> str:
    try:
        return f": {error}".removesuffix(": ")
    except Exception:  # noqa: BLE001 - a plugin wrote its __str__
        return ""

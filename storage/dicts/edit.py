"""Operations of one dict that read and write, such as `pop` and `update`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from storage.database_interface import Origin
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.dicts.transaction import Transaction
from storage.errors import VersionConflict

T = TypeVar("T")

_ATTEMPTS = 50
"""How often an operation is tried when other processes keep committing first."""


def edit(state: DictState, change: Callable[[Overlay], T]) -> T:
    """Let `change` work on the dict, in the transaction around, or else in one for this alone, and return what it returns.

    In the latter case it is called again if another process committed first, as nobody has seen yet what it found.
    """
    overlay = state.overlay_to_change()
    if overlay is not None:
        return change(overlay)
    attempt = 1
    while True:
        own = Transaction(state, (state,), (state.engine.lock,), Origin(), sync=False)
        try:
            with own:
                overlay = own.overlays[state.content] = Overlay(state.content)
                return change(overlay)
        except VersionConflict:
            if attempt == _ATTEMPTS:
                raise
            attempt += 1

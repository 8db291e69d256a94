"""Writing what was changed in place outside of transactions, and closing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from storage.database_interface import Origin
from storage.dicts import commit, locks
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED
from storage.errors import StorageBusy, StorageError, StoreClosed

_PATIENCE = 2.0
_log = logging.getLogger(__name__)


def save(states: Sequence[DictState], find: Callable[[DictState], Overlay]) -> None:
    """Commit what `find` finds in each state, all or nothing. Values that were handed out stay live."""
    with locks.held(locks.in_order(state.engine.lock for state in states)):
        _save(states, find)


def close(states: Sequence[DictState]) -> None:
    """Save what was changed in place, then close the engines, each in any case; raises the first failure at the end."""
    if any(state.scope is not CLOSED and state.overlay() is not None for state in states):
        raise StorageBusy("a storage cannot be closed inside one of its own transactions")
    with locks.held(locks.in_order(state.engine.lock for state in states)):
        _close(states)


def close_at_exit(states: Sequence[DictState]) -> None:
    """The same when the interpreter ends; a transaction that is still open in some daemon thread is dropped."""
    try:
        with locks.held(locks.in_order(state.engine.lock for state in states), _PATIENCE):
            _close(states)
    except StorageBusy:
        _log.warning("the program ended inside an open transaction, of which nothing is kept")
        for state in states:
            if state.scope is not None:
                state.scope.is_open = False
        _close(states)


def _close(states: Sequence[DictState]) -> None:
    failures: list[StorageError] = []
    for state in states:
        if state.scope is not CLOSED:
            failures += _save_and_close(state)
    if failures:
        raise failures[0]


def _save_and_close(state: DictState) -> list[StorageError]:
    failures: list[StorageError] = []
    try:
        _save((state,), DictState.pending)
    except StorageError:
        # One value that cannot be kept must not cost the others.
        for key in state.handed_keys():
            try:
                _save((state,), partial(DictState.pending, keys=(key,)))
            except StorageError as error:
                failures.append(error)
    finally:
        state.close()
    return failures


def _save(states: Sequence[DictState], find: Callable[[DictState], Overlay]) -> None:
    for state in states:
        if state.scope is CLOSED:
            raise StoreClosed(f"{state.name} was closed")
        state.refresh()
    overlays = [overlay for overlay in map(find, states) if overlay.gathered]
    if overlays:
        commit.commit(overlays, Origin(), sync=False)
    for overlay in overlays:
        overlay.state.apply_saved(overlay)

"""Writing what was changed in place outside of transactions, and closing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from storage import commit, locks
from storage.database_interface import Origin
from storage.dict_state import DictState
from storage.errors import StorageBusy, StorageError, StoreClosed
from storage.overlay import Overlay
from storage.scope import CLOSED


def save(states: Sequence[DictState], find: Callable[[DictState], Overlay]) -> None:
    """Commit what `find` finds in each state, all or nothing. Values that were handed out stay live."""
    with locks.held(locks.in_order(state.engine.lock for state in states)):
        _save(states, find)


def close(states: Sequence[DictState]) -> None:
    """Save what was changed in place, then close the engines, each in any case; raises the first failure at the end."""
    states = [state for state in states if state.scope is not CLOSED]
    if any(state.overlay() is not None for state in states):
        raise StorageBusy("a storage cannot be closed inside one of its own transactions")
    failures: list[StorageError] = []
    with locks.held(locks.in_order(state.engine.lock for state in states)):
        for state in states:
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

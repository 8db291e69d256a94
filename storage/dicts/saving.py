"""Writing what was changed in place outside of transactions, and closing."""

from __future__ import annotations

import _thread
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from storage.database_interface import Origin
from storage.dicts import commit, locks
from storage.dicts.content import Content
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED, is_inside
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.errors import StorageBusy, StorageError, StoreClosed

_PATIENCE = 2.0
_log = logging.getLogger(__name__)


def pending(content: Content, keys: Iterable[str] | None = None) -> Overlay:
    """Everything that was changed in place and not saved, ready to be committed. Raises ValueRefused."""
    texts = {key: content.pending_text(key) for key in (list(content.handed) if keys is None else keys)}
    return _to_save(content, {key: text for key, text in texts.items() if text is not None})


def rewrite(content: Content, key: str) -> Overlay:
    """The value of one key as it is now, changed or not, ready to be committed. Raises KeyError."""
    text = content.current_text(key)
    if text is None:
        raise KeyError(key)
    return _to_save(content, {key: bytes(text)})


def save(states: Sequence[DictState], find: Callable[[Content], Overlay] = pending, two_phase: TwoPhaseCommit | None = None) -> None:
    """Commit what `find` finds in each dict, all or nothing. Values that were handed out stay live."""
    with locks.held(locks.in_order(state.engine.lock for state in states)):
        _save(states, find, two_phase)


def close(states: Sequence[DictState]) -> None:
    """Save what was changed in place, then close the engines, each in any case; raises the first failure at the end."""
    others = [state for state in states if state.scope is CLOSED or not is_inside(state.engine.lock)]
    own = [state for state in states if state not in others]
    if any(state.scope is not None or state.content.handed for state in own):
        raise StorageBusy("a storage cannot be closed inside one of its own transactions")
    # What is inside the transaction of another storage over the same data has changed nothing past that.
    for state in own:
        state.close()
    with locks.held(locks.in_order(state.engine.lock for state in others)):
        _close(others)


def defer(close: Callable[[], None], name: str) -> None:
    """Close as soon as the operation has ended that this code interrupted, and do not wait for that here.

    For signal handlers: the interrupted operation goes on only when they return. The thread is a bare one, as starting one of
    `threading` needs a lock that may be held as well.
    """

    def run() -> None:
        try:
            close()
        except (StorageError, OSError):
            _log.exception("%s could not be closed well", name)

    _thread.start_new_thread(run, ())


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
        _save((state,), pending)
    except StorageError:
        # One value that cannot be kept must not cost the others.
        for key in list(state.content.handed):
            try:
                _save((state,), partial(pending, keys=(key,)))
            except StorageError as error:
                failures.append(error)
    finally:
        state.close()
    return failures


def _save(states: Sequence[DictState], find: Callable[[Content], Overlay], two_phase: TwoPhaseCommit | None = None) -> None:
    for state in states:
        if state.scope is CLOSED:
            raise StoreClosed(f"{state.name} was closed")
        state.refresh()
    overlays = [overlay for overlay in (find(state.content) for state in states) if overlay.gathered]
    if overlays:
        commit.commit(overlays, Origin(), two_phase, sync=False)
    for overlay in overlays:
        _apply(overlay)


def _to_save(content: Content, texts: dict[str, bytes]) -> Overlay:
    overlay = Overlay(content)
    for key, text in texts.items():
        before = content.text(key)
        if before is not None:  # another object may have removed the key meanwhile, and the value with it
            overlay.before[key] = before
            overlay.changed[key] = text
    overlay.gathered += overlay.changed.items()
    overlay.version = content.engine.version
    return overlay


def _apply(overlay: Overlay) -> None:
    """As `Overlay.apply`, but the values that were handed out stay live: they are what was saved."""
    content = overlay.content
    if content.cannot_change():
        return
    with content.mutex.lock:
        if content.advance(overlay.version) and content.loaded:
            content.stored.update(overlay.changed)
        for key, text in overlay.changed.items():
            if key in content.handed:
                content.handed[key] = (content.handed[key][0], text)

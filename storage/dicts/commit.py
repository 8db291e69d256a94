"""One commit over several dicts, which may live in several engines.

Dicts of one engine group are committed in one call, atomically. Several groups of a storage's config go the way of
`spanning`. Where that is not possible (engines that were `put`), groups follow each other in the order of the dicts; when a
later one fails, the earlier ones are taken back by a commit of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence

from storage.database_interface import DomainChanges, Origin, to_the_end
from storage.dicts.overlay import Overlay
from storage.dicts.two_phase_commit import Spanning
from storage.errors import CommitFailed, StorageError


def commit(overlays: Sequence[Overlay], origin: Origin, *, sync: bool) -> None:
    """Bring what was gathered into the engines, all or nothing; raises CommitFailed."""
    groups = _by_group(overlays)
    if len(groups) > 1 and (spanning := _spanning(groups)) is not None:
        _commit_spanning(spanning, groups, origin, sync=sync)
        return
    done = 0
    try:
        for group in groups:
            group[0].state.engine.commit_batch(_batch(group), origin, sync=sync)
            done += 1
    except BaseException as failure:
        _distrust(overlays)
        for group in reversed(groups[:done]):
            try:
                group[0].state.engine.commit_batch(_undo(group), origin, sync=sync)
            except StorageError as error:
                raise _half_done(group, error) from failure
        raise


async def commit_async(overlays: Sequence[Overlay], origin: Origin, *, sync: bool) -> None:
    """The same without blocking the event loop.

    Engines raise a cancellation only when they have finished, but not whether they have committed. So it counts as a
    failure here: what can be taken back is, and memory asks the engines again before the next read.
    """
    groups = _by_group(overlays)
    if len(groups) > 1 and (spanning := _spanning(groups)) is not None:
        await to_the_end(_commit_spanning, spanning, groups, origin, sync=sync)
        return
    begun = 0
    try:
        for group in groups:
            begun += 1
            await group[0].state.engine.commit_batch_async(_batch(group), origin, sync=sync)
    except BaseException as failure:
        _distrust(overlays)
        if len(groups) > 1:
            cancelled = isinstance(failure, asyncio.CancelledError)
            await _take_back(groups[: begun if cancelled else begun - 1], origin, failure, sync=sync)
        raise


def _spanning(groups: Sequence[Sequence[Overlay]]) -> Spanning | None:
    spanning = groups[0][0].state.spanning
    persistent = [group[0].state.group for group in groups if group[0].state.engine.persistent]
    return spanning if spanning is not None and spanning.is_for(persistent) else None


def _commit_spanning(spanning: Spanning, groups: Sequence[Sequence[Overlay]], origin: Origin, *, sync: bool) -> None:
    """Engines that keep nothing come last: they refuse nothing."""
    persistent = [group for group in groups if group[0].state.engine.persistent]
    try:
        spanning.commit([_batch(group) for group in persistent], {group[0].state.group: _undo(group) for group in persistent}, origin)
    except BaseException:
        _distrust([overlay for group in groups for overlay in group])
        raise
    for group in groups:
        if group not in persistent:
            group[0].state.engine.commit_batch(_batch(group), origin, sync=sync)


async def _take_back(groups: Sequence[Sequence[Overlay]], origin: Origin, failure: BaseException, *, sync: bool) -> None:
    for group in reversed(groups):
        try:
            await group[0].state.engine.commit_batch_async(_undo(group), origin, sync=sync)
        except asyncio.CancelledError:
            continue  # the failure that is on its way out already says enough, and the other groups need this
        except StorageError as error:
            raise _half_done(group, error) from failure


def _by_group(overlays: Sequence[Overlay]) -> list[list[Overlay]]:
    if len(overlays) == 1:
        return [[overlays[0]]]
    groups: dict[Hashable, list[Overlay]] = {}
    for overlay in overlays:
        groups.setdefault(overlay.state.group, []).append(overlay)
    return list(groups.values())


def _batch(group: Sequence[Overlay]) -> list[DomainChanges]:
    return [DomainChanges(overlay.state.engine, overlay.gathered, overlay.base) for overlay in group]


def _undo(group: Sequence[Overlay]) -> list[DomainChanges]:
    return [DomainChanges(overlay.state.engine, overlay.undo()) for overlay in group]


def _distrust(overlays: Sequence[Overlay]) -> None:
    for overlay in overlays:
        overlay.state.distrust()


def _half_done(group: Sequence[Overlay], error: StorageError) -> CommitFailed:
    engines = ", ".join(repr(overlay.state.engine) for overlay in group)
    return CommitFailed(f"a commit over several engines failed, and could not be taken back in {engines}: {error}")

"""One commit over several dicts, which may live in several engines.

Dicts of one engine group are committed in one call, atomically. Several groups of a storage's config go by a
two-phase commit. Where that is not possible (engines that were `put`), groups follow each other in the order of the dicts; when a
later one fails, the earlier ones are taken back by a commit of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence

from storage.database_interface import DomainChanges, Origin, to_the_end
from storage.dicts.overlay import Overlay
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.errors import CommitFailed, StorageError


def commit(overlays: Sequence[Overlay], origin: Origin, two_phase: TwoPhaseCommit | None = None, *, sync: bool) -> None:
    """Bring what was gathered into the engines, all or nothing; raises CommitFailed."""
    groups = _by_group(overlays)
    if two_phase is not None and len(groups) > 1 and two_phase.is_for(_keeping(groups)):
        _commit_in_two_phases(two_phase, groups, origin, sync=sync)
        return
    done = 0
    try:
        for group in groups:
            group[0].content.engine.commit_batch(_batch(group), origin, sync=sync)
            done += 1
    except BaseException as failure:
        _invalidate(overlays)
        for group in reversed(groups[:done]):
            try:
                group[0].content.engine.commit_batch(_undo(group), origin, sync=sync)
            except StorageError as error:
                raise _half_done(group, error) from failure
        raise


async def commit_async(overlays: Sequence[Overlay], origin: Origin, two_phase: TwoPhaseCommit | None = None, *, sync: bool) -> None:
    """The same without blocking the event loop.

    Engines raise a cancellation only when they have finished, but not whether they have committed. So it counts as a
    failure here: what can be taken back is, and memory asks the engines again before the next read.
    """
    groups = _by_group(overlays)
    if two_phase is not None and len(groups) > 1 and two_phase.is_for(_keeping(groups)):
        await to_the_end(_commit_in_two_phases, two_phase, groups, origin, sync=sync)
        return
    begun = 0
    try:
        for group in groups:
            begun += 1
            await group[0].content.engine.commit_batch_async(_batch(group), origin, sync=sync)
    except BaseException as failure:
        _invalidate(overlays)
        if len(groups) > 1:
            cancelled = isinstance(failure, asyncio.CancelledError)
            await _take_back(groups[: begun if cancelled else begun - 1], origin, failure, sync=sync)
        raise


def _keeping(groups: Sequence[Sequence[Overlay]]) -> list[Hashable]:
    return [group[0].content.joint_group for group in groups if group[0].content.engine.persistent]


def _commit_in_two_phases(two_phase: TwoPhaseCommit, groups: Sequence[Sequence[Overlay]], origin: Origin, *, sync: bool) -> None:
    """Engines that keep nothing come last: they refuse nothing."""
    persistent = [group for group in groups if group[0].content.engine.persistent]
    try:
        two_phase.commit([_batch(group) for group in persistent], {group[0].content.joint_group: _undo(group) for group in persistent}, origin)
    except BaseException:
        _invalidate([overlay for group in groups for overlay in group])
        raise
    for group in groups:
        if group not in persistent:
            group[0].content.engine.commit_batch(_batch(group), origin, sync=sync)


async def _take_back(groups: Sequence[Sequence[Overlay]], origin: Origin, failure: BaseException, *, sync: bool) -> None:
    for group in reversed(groups):
        try:
            await group[0].content.engine.commit_batch_async(_undo(group), origin, sync=sync)
        except asyncio.CancelledError:
            continue  # the failure that is on its way out already says enough, and the other groups need this
        except StorageError as error:
            raise _half_done(group, error) from failure


def _by_group(overlays: Sequence[Overlay]) -> list[list[Overlay]]:
    if len(overlays) == 1:
        return [[overlays[0]]]
    groups: dict[Hashable, list[Overlay]] = {}
    for overlay in overlays:
        groups.setdefault(overlay.content.joint_group, []).append(overlay)
    return list(groups.values())


def _batch(group: Sequence[Overlay]) -> list[DomainChanges]:
    return [DomainChanges(overlay.content.engine, overlay.gathered, overlay.base) for overlay in group]


def _undo(group: Sequence[Overlay]) -> list[DomainChanges]:
    return [DomainChanges(overlay.content.engine, overlay.undo()) for overlay in group]


def _invalidate(overlays: Sequence[Overlay]) -> None:
    for overlay in overlays:
        overlay.content.invalidate()


def _half_done(group: Sequence[Overlay], error: StorageError) -> CommitFailed:
    engines = ", ".join(repr(overlay.content.engine) for overlay in group)
    return CommitFailed(f"a commit over several engines failed, and could not be taken back in {engines}: {error}")

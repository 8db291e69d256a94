"""Commits that span several engines, such as a folder and a Redis server, so that a crash leaves none of them half done.

No engine can commit for another. So one of them decides: an engine that others write to, because it is the one that may
still refuse, else the last of the config. The others first take a note of what is to be done. Then the decider commits its
part, together with a mark; that is the moment at which the commit is made. Then the others do what they noted. After a
crash in between the notes name what was left, and the mark tells whether it is finished or dropped.

Notes and marks are in a dict of each engine, beside the others.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

from storage.database_interface import DatabaseInterface, DomainChanges, Finding, Origin
from storage.domain_lock import DomainLock
from storage.domains import is_store_name
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import OutcomeUnknown, StorageError

_log = logging.getLogger(__name__)

DICT = "_spanning"
"""The last part of the domain of the dict with the notes and marks."""

_NOTE, _MARK = "note ", "mark "

Batch = Sequence[DomainChanges]

Make = Callable[[str], DatabaseInterface]
"""Opens a further engine in the same group, by the last part of its domain."""


class TwoPhaseCommit:
    """The notes and marks of one storage.

    The caller holds the locks of all dicts. At most one group may be open to other processes, because two processes must not
    finish the same commit.
    """

    def __init__(self) -> None:
        self.is_unsettled = False
        """A commit may be half done; `settle` has to come before the next."""
        self.joint: list[DomainLock] = []
        """The locks of the joint dicts among those that it knows."""
        self.joint_groups: set[Hashable] = set()
        """The group of these; there is one at most, and it decides. What was left of a commit is then never a change to a joint dict, which
        others may have changed since."""
        self._names: dict[str, DatabaseInterface] = {}
        self._makers: dict[Hashable, Make] = {}
        self._shared: set[Hashable] = set()
        self._beside: dict[Hashable, DatabaseInterface] = {}
        self._helpers: dict[str, DatabaseInterface] = {}
        self._old_marks: dict[Hashable, list[str]] = {}

    def add(self, name: str, engine: DatabaseInterface, make: Make, *, joint: bool = False) -> None:
        """A dict, and what opens engines beside it."""
        if engine.persistent:
            self.is_unsettled = True  # what a crash left may be about this one
            if joint:
                self.joint.append(engine.lock)
                self.joint_groups.add(engine.joint_group())
            self._names[name] = engine
            self._makers.setdefault(engine.joint_group(), make)
            if engine.announces:
                self._shared.add(engine.joint_group())

    def is_for(self, groups: Collection[Hashable]) -> bool:
        """Whether a commit to these groups is to go this way."""
        return len(groups) > 1 and len(self._shared) < 2 and all(group in self._makers for group in groups)

    def close(self) -> None:
        for helper in (*self._beside.values(), *self._helpers.values()):
            helper.close()

    def commit(self, batches: Sequence[Batch], undo: Mapping[Hashable, Batch], origin: Origin) -> None:
        """All batches, or none and CommitFailed. Each is for one group; `undo` brings a group back."""
        self._open()
        if self.is_unsettled:
            self.settle()
        *others, deciding = sorted(batches, key=lambda batch: (batch[0].engine.joint_group() in self.joint_groups, batch[0].engine.announces))
        number = uuid.uuid4().hex
        note = self._note(deciding, others, origin)
        noted: list[Batch] = []
        try:
            for batch in others:
                noted.append(batch)
                self._commit([], batch[0].engine.joint_group(), {_NOTE + number: note[batch[0].engine.joint_group()]}, origin)
            self._decide(deciding, number, origin)
        except OutcomeUnknown:
            self.is_unsettled = True
            raise
        except BaseException:
            self._drop(noted, number, origin)
            raise
        self._finish(others, deciding, number, undo, origin)

    def settle(self, *, are_all_here: bool = True) -> list[Finding]:
        """Finish or drop what was left half done. Raises StorageError, and then it stays as it was.

        Unless `are_all_here`, what is about dicts that code may still declare stays for the next time, without a word.
        """
        if not self.is_for(self._makers):
            return []
        self._open()
        findings: list[Finding] = []
        waiting = 0
        for group, beside in self._beside.items():
            notes = {key: text for key, text in beside.load_all().items() if key.startswith(_NOTE)}
            for key, text in notes.items():
                note = codec.decode(text)
                unknown = self._unknown(note)
                if unknown and not are_all_here and all(map(is_store_name, unknown)):
                    waiting += 1
                else:
                    findings.append(self._settle_one(group, beside, key, note, unknown))
        if waiting:
            return findings
        if all(finding.kind != "note" for finding in findings):
            for group, beside in self._beside.items():
                marks: dict[str, Encoded | None] = {key: None for key in beside.load_all() if key.startswith(_MARK)}
                if marks:
                    self._commit([], group, marks, Origin(event="recovery"))
            self._old_marks.clear()
        self.is_unsettled = False
        return findings

    # ----------------------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        for group, make in self._makers.items():
            if group not in self._beside:
                self._beside[group] = make(DICT)

    def _note(self, deciding: Batch, others: Sequence[Batch], origin: Origin) -> dict[Hashable, bytes]:
        decider = next(name for name, engine in self._names.items() if engine.joint_group() == deciding[0].engine.joint_group())
        names = {engine.domain: name for name, engine in self._names.items()}
        notes = {}
        for batch in others:
            changes = [[names[part.engine.domain], key, _text(text)] for part in batch for key, text in part.changes]
            note = {"at": time.time(), "by": origin.member, "event": origin.event, "decider": decider, "changes": changes}
            notes[batch[0].engine.joint_group()] = codec.encode(note)
        return notes

    def _decide(self, deciding: Batch, number: str, origin: Origin) -> None:
        group = deciding[0].engine.joint_group()
        marks: dict[str, Encoded | None] = dict.fromkeys(self._old_marks.get(group, ()))
        self._commit(deciding, group, {**marks, _MARK + number: b"true"}, origin)
        self._old_marks[group] = [_MARK + number]

    def _finish(self, others: Sequence[Batch], deciding: Batch, number: str, undo: Mapping[Hashable, Batch], origin: Origin) -> None:
        done: list[Batch] = []
        try:
            for batch in others:
                self._commit(batch, batch[0].engine.joint_group(), {_NOTE + number: None}, origin)
                done.append(batch)
        except StorageError as failure:
            # Decided, but this engine cannot follow now. Nobody was told yet, so the decision is taken back.
            self.is_unsettled = True
            for batch in [deciding, *reversed(done)]:
                group = batch[0].engine.joint_group()
                try:
                    self._commit(undo[group], group, {_MARK + number: None} if batch is deciding else {}, origin)
                except StorageError as error:
                    told = f"a commit over several engines failed halfway ({failure}), and could not be taken back ({error})"
                    raise OutcomeUnknown(f"{told}; it is finished as soon as the engines answer") from failure
            self._drop(others, number, origin)
            raise

    def _drop(self, noted: Sequence[Batch], number: str, origin: Origin) -> None:
        """Nothing was decided; a note that cannot be taken out now says nothing without a mark."""
        for batch in noted:
            try:
                self._commit([], batch[0].engine.joint_group(), {_NOTE + number: None}, origin)
            except StorageError as error:
                self.is_unsettled = True
                _log.warning("a note of a commit that was dropped stays for now: %s", error)
        # What failed here is looked at again by `settle`.

    def _unknown(self, note: dict[str, Any]) -> list[str]:
        """The dicts in a note that are not here."""
        names = {name for name, _, _ in note["changes"] if self._engine(name) is None}
        return sorted(names if note["decider"] in self._names else {*names, note["decider"]})

    def _settle_one(self, group: Hashable, beside: DatabaseInterface, key: str, note: dict[str, Any], unknown: Sequence[str]) -> Finding:
        where = f"{beside!r}: {key}"
        who = f"a commit of {note['by'] or 'nobody'} ({note['event'] or 'no event'}) over several engines was left half done"
        if unknown:
            reason = f"{who}, and the config no longer has {', '.join(unknown)}; it stays as it is until the config has"
            _log.error("%s: %s", where, reason)
            return Finding("note", beside.domain, key, where, reason)
        engines = {name: self._engine(name) for name, _, _ in note["changes"]}
        is_made = self._beside[self._names[note["decider"]].joint_group()].load_one(_MARK + key.removeprefix(_NOTE)) is not None
        by_name: dict[str, list[tuple[str, Encoded | None]]] = {}
        for name, changed, text in note["changes"] if is_made else ():
            by_name.setdefault(name, []).append((changed, None if text is None else text.encode("utf-8")))
        batch = [DomainChanges(engine, by_name[name]) for name, engine in engines.items() if engine is not None and name in by_name]
        self._commit(batch, group, {key: None}, Origin(note["by"], note["event"]))
        kind, done = ("finished", "was finished") if is_made else ("undone", "had not been decided, and was dropped")
        _log.warning("%s: %s; it %s", where, who, done)
        return Finding(kind, beside.domain, key, where, f"{who}; it {done}")

    def _engine(self, name: str) -> DatabaseInterface | None:
        """Dicts of the service itself may not be open yet when a storage is; they are beside the first entry that keeps its data."""
        engine = self._names.get(name) or self._helpers.get(name)
        if engine is None and name.startswith("_"):
            engine = self._helpers[name] = next(iter(self._makers.values()))(name)
        return engine

    def _commit(self, batch: Batch, group: Hashable, beside: Mapping[str, Encoded | None], origin: Origin) -> None:
        parts = [*batch, *([DomainChanges(self._beside[group], list(beside.items()))] if beside else [])]
        if parts:
            parts[0].engine.commit_batch(parts, origin, sync=True)


def _text(text: Encoded | None) -> str | None:
    return None if text is None else bytes(text).decode("utf-8")

"""Who is inside which transaction.

A context variable knows it, so that a transaction is entered by the task or thread that opened it and by what they start,
`asyncio.to_thread` and `asyncio.gather` included, and by nobody else. What they started remains code of that transaction when
it has ended, and no longer gets at its dicts; whoever ends it is outside again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from storage.database_interface import DatabaseInterface
from storage.dicts.content import Content
from storage.dicts.joint import JointOverlay
from storage.dicts.overlay import Overlay
from storage.domain_lock import DomainLock
from storage.encoding.codec import Encoded


class Member(Protocol):
    """A dict that takes part."""

    @property
    def content(self) -> Content: ...

    @property
    def engine(self) -> DatabaseInterface: ...


class Scope:
    """The reach of one transaction: it is open from its start until its end is decided."""

    __slots__ = ("exclusive", "foreign", "is_open", "joint", "locks", "members", "overlays", "owner", "parent")

    def __init__(self, owner: object, members: Sequence[Member], locks: tuple[DomainLock, ...]) -> None:
        self.owner = owner
        self.members = members
        self.locks = locks
        self.exclusive = ""
        """What to do instead of changing dicts of others in here; empty if that is allowed."""
        self.is_open = False
        self.parent: Scope | None = None
        """The transaction around, open or ended."""
        self.overlays: dict[Content, Overlay] = {}
        self.foreign: dict[tuple[Content, str], tuple[Any, Encoded]] = {}
        """Copies of values of others that were handed out in here, with their texts."""
        self.joint: tuple[Member, ...] = ()
        """The joint dicts that were used in here."""

    def overlay(self, content: Content) -> Overlay:
        """The changes to a dict, which may have been opened a second time, as another object."""
        found = self.overlays.get(content)
        if found is None:
            lock = content.engine.lock
            content = next(member.content for member in self.members if member.content.engine.lock is lock)
            found = self.overlays.get(content) or self.overlays.setdefault(content, Overlay(content))
        return found

    def join(self, member: Member) -> Overlay:
        """The changes to a joint dict."""
        content = member.content
        made = JointOverlay(content)
        found = self.overlays.setdefault(content, made)  # two threads inside may get here at once
        if found is made:
            self.joint = (*self.joint, member)
        return found


innermost: ContextVar[Scope | None] = ContextVar("mooring_innermost_transaction", default=None)

CLOSED = Scope(None, (), ())
"""What a closed dict has in the place of its transaction: nobody is ever inside."""


def scope_over(lock: DomainLock) -> Scope | None:
    """The innermost transaction around the running code that takes in this data, by whichever objects, open or ended."""
    current = innermost.get()
    while current is not None and lock not in current.locks:
        current = current.parent
    return current


def is_inside(lock: DomainLock) -> bool:
    """Whether the running code is in an open transaction over this data."""
    scope = scope_over(lock)
    return scope is not None and scope.is_open


def enclosing(owner: object, locks: Collection[DomainLock]) -> Scope | None:
    """The innermost open transaction around the running code that is of this owner, or over all of this data."""
    current = innermost.get()
    while current is not None:
        if current.is_open and (current.owner is owner or (locks and set(locks) <= set(current.locks))):
            return current
        current = current.parent
    return None


def exclusive_around() -> Scope | None:
    """The open transaction around the running code that forbids to change dicts of others."""
    current = innermost.get()
    while current is not None and not (current.is_open and current.exclusive):
        current = current.parent
    return current


def leave_ended() -> None:
    """Let the running code be outside of transactions that have ended; what it does to their dicts counts again, each change for itself."""
    current = innermost.get()
    if current is None or current.is_open:
        return
    while current is not None and not current.is_open:
        current = current.parent
    innermost.set(current)


def leave(scope: Scope) -> None:
    """Whoever ends a transaction is no longer in it, though perhaps still in others that were begun inside."""
    current = innermost.get()
    if current is scope:
        innermost.set(scope.parent)
        return
    while current is not None and current.parent is not scope:
        current = current.parent
    if current is not None:
        current.parent = scope.parent

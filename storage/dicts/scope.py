"""Who is inside which transaction.

A context variable knows it, so that a transaction is entered by the task or thread that opened it and by what they start,
`asyncio.to_thread` and `asyncio.gather` included, and by nobody else.
"""

from __future__ import annotations

from contextvars import ContextVar

from storage.dicts.content import Content
from storage.dicts.overlay import Overlay
from storage.domain_lock import DomainLock


class Scope:
    """The reach of one transaction: it is open from its start until its end is decided."""

    __slots__ = ("is_open", "locks", "overlays", "owner", "parent")

    def __init__(self, owner: object, locks: tuple[DomainLock, ...]) -> None:
        self.owner = owner
        self.locks = locks
        self.is_open = False
        self.parent: Scope | None = None
        self.overlays: dict[Content, Overlay] = {}


innermost: ContextVar[Scope | None] = ContextVar("mooring_innermost_transaction", default=None)

CLOSED = Scope(None, ())
"""What a closed dict has in the place of its transaction: nobody is ever inside."""


def is_inside(scope: Scope) -> bool:
    """Whether the running code belongs to this transaction, and the transaction is still open."""
    current = innermost.get()
    while current is not None and current is not scope:
        current = current.parent
    return current is not None and scope.is_open


def enclosing() -> Scope | None:
    """The innermost open transaction around the running code.

    A closed one counts as none: tasks that a handler started may outlive its transaction.
    """
    current = innermost.get()
    while current is not None and not current.is_open:
        current = current.parent
    return current


def enclosing_of(owner: object) -> Scope | None:
    """The open transaction of this owner around the running code."""
    current = enclosing()
    while current is not None and (current.owner is not owner or not current.is_open):
        current = current.parent
    return current

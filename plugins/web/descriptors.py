"""How many files, sockets included, this process may have open at once, and whether there is room for more."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

try:
    import resource
except ImportError:  # Windows knows no such limit
    resource = None  # type: ignore[assignment]

RESERVE = 16
"""So many are left for the storage, which opens files while it commits and at its checkpoints, and for what plugins open."""

_HTTP = 4
"""So many are left for requests that are no WebSockets: the page and the probes."""

_MOST_COUNTED = 65_536


def limit() -> int | None:
    """How many may be open at once, None if any number."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def room_for_connections(wanted: int) -> int:
    """How many connections the process can take of those that are wanted, none below 1 among them.

    The limit is raised as far as it has to be and the system lets it.
    """
    allowed = limit()
    if allowed is None:
        return wanted
    others = sum(map(_is_open, range(min(allowed, _MOST_COUNTED)))) + RESERVE + _HTTP
    if allowed < wanted + others:
        allowed = _raised_to(wanted + others, allowed)
    return min(wanted, allowed - others)


def are_left(count: int) -> bool:
    """Whether so many more can be opened."""
    allowed = limit()
    # From the top, where they are free unless nearly all are taken: it costs the same with ten open as with ten thousand.
    return allowed is None or sum(1 for _ in islice((number for number in range(allowed - 1, -1, -1) if not _is_open(number)), count)) == count


def _is_open(number: int) -> bool:
    try:
        os.get_inheritable(number)
    except OSError:
        return False
    return True


def _raised_to(wanted: int, soft: int) -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(OSError, ValueError):  # a container may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        return target
    return soft

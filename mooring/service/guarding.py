"""Work of others that may fail or hang, and on which nothing of the service depends."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from mooring.containment import within

log = logging.getLogger(__name__)


async def guarded(what: str, work: Coroutine[Any, Any, Any], seconds: float) -> None:
    """Await `work` for up to so many seconds. Whatever it raises is logged, and that it did not end in time."""
    try:
        await within(seconds, work, what)
    except Exception:
        log.exception("%s failed", what)

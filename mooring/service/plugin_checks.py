"""What plugins say that keeps the service from being ready."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""What is wrong, in words; None if nothing is."""


class PluginChecks:
    """The checks of plugins, by their names. One that fails keeps no other from being asked."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Ask this one as well, in place of one of the same name."""
        self._checks[name] = check

    def problems(self) -> Iterator[str]:
        """What is wrong now. Blocks for as long as the checks do."""
        for name, check in list(self._checks.items()):
            try:
                problem = check()
            except Exception as error:  # a plugin's code, which may raise anything
                log.debug("the health check %s failed", name, exc_info=True)
                problem = f"its health check failed with {type(error).__name__}: {error}"
            if problem is not None:
                yield f"{name}: {problem}"

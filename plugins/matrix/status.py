"""Whether the homeserver can be reached, told once and not at every try."""

from __future__ import annotations

import logging

from mooring import PluginError
from mooring.plugins.matrix.troubles import Limited, TokenRefused, Trouble

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_TOKEN_PAUSE = 30.0
"""How often it is looked whether the operator has put another token there."""


class Status:
    """What keeps the gateway from its work; for the log, and for `/readyz`."""

    def __init__(self, homeserver: str) -> None:
        self._homeserver = homeserver
        self._kind: type[Exception] | None = None
        self._pause = _FIRST_PAUSE
        self.problem = ""
        """In words; empty if all is well. Read from any thread."""

    @property
    def has_token(self) -> bool:
        """Whether the token is good, as far as is known."""
        return self._kind not in {TokenRefused, PluginError}

    def failed(self, error: Trouble | PluginError) -> float:
        """Note what went wrong, and return for how many seconds to wait before the next try."""
        if isinstance(error, Limited):
            return error.seconds
        self.problem = f"{self._homeserver}: {error}"
        if type(error) is not self._kind:
            self._kind, self._pause = type(error), _FIRST_PAUSE
            remedy = ". Put a good one where the config says; it is looked for there" if isinstance(error, TokenRefused) else ""
            log.log(logging.WARNING if self.has_token else logging.ERROR, "%s%s", self.problem, remedy)
        if not self.has_token:
            return _TOKEN_PAUSE
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return (error.seconds if isinstance(error, Trouble) else 0.0) or self._pause

    def works(self) -> bool:
        """Note that it answers; whether it did not before."""
        if self._kind is None:
            return False
        self._kind, self.problem = None, ""
        log.info("%s answers again", self._homeserver)
        return True

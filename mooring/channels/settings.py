"""What was decided about one channel while the service ran, in its own storage, so that it is decided with a commit of the channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

_CLOSED, _PLUGINS = "closed", "plugins"


class ChannelSettings:
    """The dict `stored` of the channel's storage. What is changed is changed inside a transaction."""

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self._stored = stored
        self.is_closed = False
        """Whether a process has closed the channel for all that serve it. No turn comes after that one."""
        self.switched: Mapping[str, bool] = {}
        """The plugins that were switched on or off here, whatever the config says. Another object when it changes."""
        self.on_switched: Callable[[], None] = _nobody
        """Called on the event loop when that has changed."""
        self.refresh()

    def refresh(self) -> None:
        """Take over what was committed, by this process or another."""
        self.is_closed = _CLOSED in self._stored
        kept = self._stored.get(_PLUGINS)
        switched = dict(kept) if isinstance(kept, dict) else {}  # what is none is set aside when the channel opens, which is later than this
        if switched != self.switched:
            self.switched = switched
            self.on_switched()

    def switch(self, plugin: str, on: bool) -> None:
        """Let a plugin serve the channel, or not, after the next `refresh`."""
        self._stored[_PLUGINS] = {**self._stored.get(_PLUGINS, {}), plugin: on}

    def close(self, changes: int) -> None:
        """Let no other turn come, in any process; `changes` is the number of the decision to close the channel."""
        self._stored[_CLOSED] = changes

    def open(self, changes: int) -> bool:
        """Let turns come again, if the decision to do so is a newer one; false if it is not, and the channel stays closed."""
        closed = self._stored.get(_CLOSED)
        if closed is not None and closed >= changes:
            return False
        self._stored.pop(_CLOSED, None)
        self.is_closed = False
        return True


def _nobody() -> None:
    """There is nobody to tell."""

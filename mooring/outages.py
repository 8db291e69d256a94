"""Telling the log when something stops to work and when it works again, and not each time in between."""

from __future__ import annotations

import logging
from collections.abc import Container


class Outage:
    """One thing that is tried again and again, for several parties perhaps."""

    def __init__(self, log: logging.Logger, failing: str, again: str) -> None:
        """`failing` is what the log says before the reason, `again` what it says when the last party has succeeded."""
        self._log = log
        self._failing, self._again = failing, again
        self._parties: set[str] = set()

    def failed(self, reason: object, party: str = "") -> None:
        """A try failed, of one of several that are tried by themselves, such as a channel."""
        where = f" ({party})" if party else ""
        self._log.log(logging.DEBUG if self._parties else logging.WARNING, "%s%s: %s", self._failing, where, reason)
        self._parties.add(party)

    def worked(self, party: str = "") -> None:
        """A try succeeded, or the party needs none any more."""
        if party in self._parties:
            self._parties.discard(party)
            if not self._parties:
                self._log.warning("%s", self._again)

    def forget_others(self, parties: Container[str]) -> None:
        """Only these are left."""
        for party in [each for each in self._parties if each not in parties]:
            self.worked(party)

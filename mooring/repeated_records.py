"""Log records that repeat: the first is written, and the others are counted."""

from __future__ import annotations

import copy
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

_SECONDS = 10.0
"""How long records that say the same are counted together."""

_MOST = 1000
"""So many different ones are told apart at once."""


class RepeatedRecords(logging.Handler):
    """Hands records on to other handlers. Of those that say the same within ten seconds only the first, and then how many there were.

    What stands behind the first is told with the next record of any kind, or at the close.
    """

    def __init__(self, targets: Sequence[logging.Handler], now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._targets = targets
        self._now = now
        self._formatter = logging.Formatter()
        self._seen: OrderedDict[Hashable, _Seen] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        now = self._now()
        while self._seen and (len(self._seen) > _MOST or next(iter(self._seen.values())).until <= now):
            self._tell(self._seen.popitem(last=False)[1])
        try:
            said = self._said(record)
        except Exception:  # noqa: BLE001 - its arguments do not fit; the target tells so as it always does
            self._hand_on(record)
            return
        seen = self._seen.get(said)
        if seen is None:
            self._seen[said] = _Seen(record, now + _SECONDS)
            self._hand_on(record)
        else:
            seen.record.created, seen.record.msecs = record.created, record.msecs
            seen.again += 1

    def flush(self) -> None:
        for target in self._targets:
            target.flush()

    def close(self) -> None:
        """Tell what was counted, and close the other handlers."""
        while self._seen:
            self._tell(self._seen.popitem(last=False)[1])
        for target in self._targets:
            target.close()
        super().close()

    def _said(self, record: logging.LogRecord) -> Hashable:
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)  # kept, as formatters do, for those who write it
        return record.name, record.levelno, record.getMessage(), record.exc_text

    def _tell(self, seen: _Seen) -> None:
        if not seen.again:
            return
        seen.record.msg = f"{seen.again} more times in {_SECONDS:.0f} s: {seen.record.msg}"
        self._hand_on(seen.record)

    def _hand_on(self, record: logging.LogRecord) -> None:
        for target in self._targets:
            if record.levelno >= target.level:
                target.handle(record)


class _Seen:
    def __init__(self, record: logging.LogRecord, until: float) -> None:
        # A copy, without what it is about: that would keep all frames of each error, for as long as errors are counted.
        self.record = copy.copy(record)
        self.record.msg, self.record.args = record.getMessage(), ()
        self.record.exc_info = self.record.exc_text = self.record.stack_info = None
        self.until = until
        self.again = 0

"""Joint dicts: those that take part in the transactions of several storages, of which many may be open at the same time.

The locks of a storage's own dicts are taken from the beginning of a transaction to its end. With joint dicts, all channels that use
one would then wait for each other's handlers. So a transaction only notes what it looked at in them. At its end it takes their locks,
looks whether all of that is still there, and commits them together with its own dicts; if something is not, it ends with VersionConflict,
and whoever runs it again may hold the locks from the beginning, so that it cannot happen twice.

The locks of joint dicts come after those of all others, and who holds some from the beginning waits for no further ones: so nobody waits
in a circle.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from storage.dicts.content import Content
from storage.dicts.overlay import Overlay
from storage.encoding.codec import Encoded
from storage.encoding.texts import is_scalar
from storage.errors import VersionConflict


class JointOverlay(Overlay):
    """What one transaction sees of a joint dict and changes in it. Thread-safe as far as an Overlay is."""

    __slots__ = ("_began", "_found", "_keys", "_moment")

    def __init__(self, content: Content) -> None:
        super().__init__(content)
        self._found: dict[str, Encoded | None] = {}
        """The committed text of each key that was looked at, None if there was none."""
        self._keys: list[str] | None = None
        """The committed keys in their order, when all were looked at first. Compared one by one: an engine's version is raised before
        the content is, and that of an engine that keeps nothing is never raised."""
        self._began = time.monotonic()
        self._moment: int | None = None

    @property
    def may_change(self) -> bool:
        """Whether the dict was changed, or a value was handed out that can be changed in place."""
        return bool(self.removed or self.changed or self.added or self.handed)

    def gather(self) -> bool:
        is_changed = super().gather()
        self.base = self._moment
        return is_changed

    def is_stale(self) -> bool:
        """Whether something that was looked at is no longer what is committed; from here on the commit builds on that.

        May ask the engine, of a dict that is not loaded, or if it is not known here what others have committed.
        """
        content = self.content
        self._moment = content.engine.moment(self._began)  # before the content, which may be newer but never older
        if content.seen != content.engine.version:
            content.load(keep_mode=True)
        if self._keys is not None and self._keys != content.key_list():
            return True
        return any(_differ(content.text(key), found) for key, found in tuple(self._found.items()))

    def read(self, key: str) -> Any:
        """From the text that was found: what the dict has decoded already may belong to another one by now."""
        if key in self.values or key in self.added or key in self.changed or key in self.removed:
            return super().read(key)
        text = self._committed(key)
        if text is None:
            raise KeyError(key)
        self.before[key] = text
        value = self.content.decode(key, text)
        if not is_scalar(value):
            self.handed.add(key)
        return self.values.setdefault(key, value)

    def current_text(self, key: str) -> Encoded | None:
        if key in self.handed or key in self.added or key in self.changed or key in self.removed:
            return super().current_text(key)
        return self._committed(key)

    def has(self, key: str) -> bool:
        return key in self.added or key in self.changed or (key not in self.removed and self._committed(key) is not None)

    def _before(self, key: str) -> Encoded | None:
        return self._committed(key)

    def _committed(self, key: str) -> Encoded | None:
        """The text that is committed, as it was when it was looked at first."""
        if key not in self._found:
            self._found[key] = self.content.text(key)
        return self._found[key]

    def _before_keys(self) -> list[str]:
        if self._keys is None:
            self._keys = self.content.key_list()
        return list(self._keys)

    def _before_count(self) -> int:
        return len(self._before_keys())


def conflict(overlays: Iterable[JointOverlay]) -> VersionConflict | None:
    """Why a transaction cannot end as it is, None if it can."""
    stale = [overlay.content.name for overlay in overlays if overlay.is_stale()]
    return VersionConflict(f"{', '.join(stale)} was changed by another transaction meanwhile; nothing was changed") if stale else None


def overlays_of(overlays: Iterable[Overlay]) -> Sequence[JointOverlay]:
    """Those of joint dicts."""
    return [overlay for overlay in overlays if isinstance(overlay, JointOverlay)]


def _differ(now: Encoded | None, found: Encoded | None) -> bool:
    if now is None or found is None:
        return now is not found
    return now is not found and bytes(now) != bytes(found)

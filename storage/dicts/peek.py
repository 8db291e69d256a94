"""Looking at a value without taking it in hand."""

from __future__ import annotations

from typing import Any

from storage.dicts.cached_dict import CachedDict
from storage.dicts.joint import JointOverlay


def peek(kept: CachedDict, key: str) -> Any:
    """The value as it stands in the running transaction, or None; only to be looked at, never to be changed.

    A read hands out a live value, which the commit has to compare with what was there. Pictures of many values, of which none is
    changed, would pay for that each time. Raises UnreadableValue.
    """
    overlay = kept._state.overlay()
    if overlay is None:
        return kept.get(key)
    if key in overlay.values:
        return overlay.values[key]
    if isinstance(overlay, JointOverlay):
        text = overlay.current_text(key)
        return None if text is None else overlay.content.decode(key, text)
    content = kept._content
    if key in content.live and key not in content.ahead.newest and not (key in overlay.added or key in overlay.changed or key in overlay.removed):
        return content.live[key]
    text = overlay.current_text(key)
    return None if text is None else content.decode(key, text)

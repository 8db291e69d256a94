"""Objects that handlers of one event were given for what a dict keeps in another form, and that are kept as they are at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage import CachedDict
from storage.encoding import codec


@dataclass(frozen=True)
class _Held:
    kept: CachedDict
    value: Any
    text: bytes
    """What it said when it was handed out or saved last."""


class HeldValues:
    """The objects of one turn. Asking for the same key twice gives the same object, as it does with dicts.

    The dicts themselves see to what they hand out; this is for models, which they do not know.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[_Held, Callable[[Any], Any]]] = {}

    def get(self, store: str, key: str) -> Any:
        """The object that was handed out before, or None."""
        found = self._held.get((store, key))
        return None if found is None else found[0].value

    def hold(self, store: str, kept: CachedDict, key: str, value: Any, write: Callable[[Any], Any]) -> None:
        """Keep what is changed in `value` from now on; `write` gives the form for the dict, and raises what it cannot give one of."""
        self._held[store, key] = (_Held(kept, value, codec.encode(write(value))), write)

    def let_go(self, store: str, key: str) -> None:
        """The object is no longer that of the key."""
        self._held.pop((store, key), None)

    def save(self) -> None:
        """Write those that were changed into the dicts, inside the transaction. Raises what their `write` does, and ValueRefused."""
        for (store, key), (held, write) in self._held.items():
            plain = write(held.value)
            text = codec.encode(plain)
            if text != held.text:
                held.kept[key] = plain
                self._held[store, key] = (_Held(held.kept, held.value, text), write)

    def mark(self) -> Mapping[tuple[str, str], Any]:
        """Where they are now, for `undo_to`."""
        self.save()
        return dict(self._held)

    def undo_to(self, mark: Mapping[tuple[str, str], Any]) -> None:
        """Forget what was handed out since then, when the dicts have gone back to what they were.

        Objects of before are forgotten as well if they were changed since: who still holds one has a copy, and asks for it again.
        """
        for place in list(self._held):
            before = mark.get(place)
            held, write = self._held[place]
            if before is None or codec.encode(write(held.value)) != before[0].text:
                del self._held[place]
            else:
                self._held[place] = before

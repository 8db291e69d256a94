"""CachedDict: a dict whose content is kept by an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import Any, Final, overload

from storage.database_interface import DatabaseInterface, Finding
from storage.dicts import saving
from storage.dicts.dict_state import DictState
from storage.dicts.edit import edit
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED, innermost
from storage.dicts.views import CachedItems, CachedKeys, CachedValues
from storage.encoding.texts import encode_item, plain_key
from storage.errors import StorageError, StoreClosed, UnreadableValue
from storage.locking import is_interrupting

_MISSING: Final = object()


class CachedDict(MutableMapping[str, Any]):
    """A dict over one engine object, with string keys.

    Values are copied when they are assigned. Values that are read are live: changes in place are kept at the end of the
    transaction, or outside of one at `save`, `commit` or `close`. Each change outside of a transaction is a commit of
    its own, and one that changes many keys (`update`, `clear`) is one commit. If another process commits first, it is done
    again on what is there then.

    Before `load` every look goes to the engine; afterwards memory answers.

    `strict_mode` is there for callers of the Moobius SDK, where it lets a refused write raise. Here that always raises.
    """

    __slots__ = ("__weakref__", "_content", "_live", "_state", "database", "strict_mode")

    def __init__(self, database: DatabaseInterface, strict_mode: bool = False) -> None:
        self.database = database
        self.strict_mode = strict_mode
        self._state = DictState(database, database.domain.rpartition(".")[2] or "value")
        self._content = self._state.content
        self._live = self._content.live

    # -- reading -----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        state = self._state
        content = self._content
        if innermost.get() is None and state.scope is None and content.seen == content.engine.version:
            try:
                return self._live[key]
            except KeyError:
                pass
        if type(key) is not str:
            key = _known_key(key)
        overlay = state.overlay()
        return state.read(key) if overlay is None else overlay.read(key)

    def get(self, key: str, default: Any = None, /) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            hash(key)  # an unhashable key is a TypeError, as with a dict
            return False
        overlay = self._state.overlay()
        if overlay is not None:
            return overlay.has(plain_key(key))
        self._state.refresh()
        return self._content.has(plain_key(key))

    def __len__(self) -> int:
        overlay = self._state.overlay()
        if overlay is not None:
            return overlay.count()
        self._state.refresh()
        return self._content.count()

    def __iter__(self) -> Iterator[str]:
        """The keys of this moment, in their order; the dict may be changed meanwhile."""
        return iter(self._keys())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys())

    def keys(self) -> CachedKeys:
        return CachedKeys(self)

    def items(self) -> CachedItems:
        """Keys and live values. Keys whose values cannot be read are passed over, and stand in `report`."""
        return CachedItems(self)

    def values(self) -> CachedValues:
        """Live values; those that cannot be read are passed over, and stand in `report`."""
        return CachedValues(self)

    def copy(self) -> dict[str, Any]:
        """A plain dict with copies of the values, changes in place that were not saved yet included."""
        source = self._state.overlay() or self._content
        copies = {}
        for key in self._keys():
            text = source.current_text(key)
            try:
                if text is not None:
                    copies[key] = self._content.decode(key, text)
            except UnreadableValue:
                continue  # `report` has it
        return copies

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return self.copy()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and self.copy() == (other.copy() if isinstance(other, CachedDict) else dict(other))

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy() if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        if self._state.scope is CLOSED:
            return f"CachedDict({self.database!r}, closed)"
        try:
            return f"CachedDict({self.copy()!r})"
        except StorageError as error:  # whoever looks for a fault by printing things must not get another one
            return f"CachedDict({self.database!r}, {error})"

    # -- writing -----------------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        state = self._state
        if type(key) is not str:
            key = plain_key(key)
        text = encode_item(state.name, key, value)
        overlay = None if innermost.get() is None else state.overlay_to_change()
        if overlay is None:
            state.put(key, text, value)
        else:
            overlay.write(key, text, value)

    def __delitem__(self, key: str) -> None:
        key = _known_key(key)
        overlay = self._state.overlay_to_change()
        if overlay is None:
            self._state.remove(key)
        else:
            overlay.delete(key)

    @overload
    def pop(self, key: str) -> Any: ...
    @overload
    def pop(self, key: str, default: Any) -> Any: ...
    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Take a key out and return its value, or `default` if it is not there. Raises KeyError without one."""

        def take(overlay: Overlay) -> Any:
            try:
                value = overlay.read(_known_key(key))
            except KeyError:
                if default is _MISSING:
                    raise
                return default
            overlay.delete(key)
            return value

        return edit(self._state, take)

    def popitem(self) -> tuple[str, Any]:
        """Take the last key. Raises KeyError if there is none."""

        def take(overlay: Overlay) -> tuple[str, Any]:
            key = overlay.last_key()
            if key is None:
                raise KeyError("popitem(): the dict is empty")
            value = overlay.read(key)
            overlay.delete(key)
            return key, value

        return edit(self._state, take)

    def setdefault(self, key: str, default: Any = None, /) -> Any:
        """The value of the key, which is set to a copy of `default` if it is not there. A value that is there is not written."""
        key = plain_key(key)

        def put(overlay: Overlay) -> None:
            if not overlay.has(key):
                overlay.write(key, encode_item(self._state.name, key, default), default)

        edit(self._state, put)
        return self[key]

    def update(self, other: Any = (), /, **more: Any) -> None:
        """Set many keys in one commit; if one key or value is refused, none is set."""
        given: dict[Any, Any] = dict(other, **more)
        name = self._state.name
        texts = [(key := plain_key(each), encode_item(name, key, value), value) for each, value in given.items()]

        def put(overlay: Overlay) -> None:
            for key, text, value in texts:
                overlay.write(key, text, value)

        edit(self._state, put)

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> CachedDict:
        self.update(other)
        return self

    def clear(self) -> None:
        """Remove all keys in one commit."""

        def remove_all(overlay: Overlay) -> None:
            for key in overlay.key_list():
                overlay.delete(key)

        edit(self._state, remove_all)

    # -- the engine --------------------------------------------------------------------------------------------------

    @property
    def is_loaded(self) -> bool:
        """Whether it answers from memory; otherwise each look goes to the engine, which may block."""
        return self._content.loaded

    def load(self) -> None:
        """Read everything from the engine; from then on memory answers. Raises StorageUnavailable."""
        if self._state.scope is CLOSED:
            raise StoreClosed(f"{self._state.name} was closed")
        self._content.load()

    def save(self, key: str) -> None:
        """Write the value of one key as it is now. In a transaction its end does that. Raises KeyError, CommitFailed."""
        key = _known_key(key)
        if self._state.overlay_to_change() is None:
            saving.save((self._state,), partial(saving.rewrite, key=key))
        elif key not in self:
            raise KeyError(key)

    def commit(self) -> None:
        """Write all values that were changed in place. In a transaction its end does that. Raises CommitFailed, ValueRefused."""
        if self._state.overlay_to_change() is None:
            saving.save((self._state,))

    def close(self) -> None:
        """Write what was changed in place, then close the engine. Calling it twice is fine.

        In a signal handler that interrupted an operation of storage it returns at once, and closes when that has ended.
        """
        close = partial(saving.close, (self._state,))
        if is_interrupting():
            saving.defer(close, self._state.name)
        else:
            close()

    @property
    def report(self) -> list[Finding]:
        """What was found while opening and reading: damage, torn commits, values that cannot be read."""
        return [*self.database.report, *self._content.findings]

    # ----------------------------------------------------------------------------------------------------------------

    def _keys(self) -> list[str]:
        overlay = self._state.overlay()
        if overlay is not None:
            return overlay.key_list()
        self._state.refresh()
        return self._content.key_list()


def _known_key(key: object) -> str:
    """The key as a plain string; one that no dict of ours can hold is a KeyError, as with a dict."""
    if not isinstance(key, str):
        hash(key)
        raise KeyError(key)
    return plain_key(key)

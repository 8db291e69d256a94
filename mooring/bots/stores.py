"""State that plugins declare in code: a `Store` is all it takes, and no entry in the db config."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, get_args

from mooring.bots.schemas import Values
from mooring.bots.store_forms import Form, form_of
from mooring.channels.held_values import HeldValues
from mooring.errors import PluginError
from storage import CachedDict, MoobiusStorage
from storage.encoding.texts import is_scalar
from storage.errors import UnreadableValue

T = TypeVar("T")
log = logging.getLogger(__name__)

Scope = Literal["channel", "member", "user", "service"]

_WITH_ONE_KEY: Final = ("channel", "service")
"""Scopes of which each has one value, which is under the scope's own name."""

_SHARED: Final = ("user", "service")
"""Scopes that are wider than a channel."""


class HasId(Protocol):
    """A member, as a Context gives it."""

    @property
    def id(self) -> str: ...


class StoreContext(Protocol):
    """As much of a Context as is used here."""

    @property
    def storage(self) -> MoobiusStorage: ...

    @property
    def member(self) -> HasId: ...

    @property
    def held_values(self) -> HeldValues: ...

    def store_name(self, store: Store[Any]) -> str: ...


class Store(Generic[T]):
    """What a plugin keeps, declared at the top of its module; mypy and editors know what is in it.

        praises = Store("praises", model=int, default=0)          # one for each member of each channel

        praises[ctx] += 1                                         # of the member who acts
        praises[ctx, target] += 1                                 # of another one
        best = max(praises.all(ctx).values())                     # by member id, for those who have one

    `model` is a type like `int` or `list[str]`, a pydantic model, a dataclass or a msgspec Struct. Values that can be changed in place are
    kept as they are when the handler ends. `default` is what is there before anything was set: a value, of which each gets a copy, or
    something to call for it; a look at it writes nothing. With `scope="channel"` there is one value for the channel: `topic[ctx] = "tea"`.

    Two scopes are wider than a channel: with "user" a member has one value in all channels, and with "service" there is one for all of them
    together. Their changes are kept with all else that the event changes, or not at all; if another channel has changed meanwhile what a
    handler looked at, it is run again.

    When the form of the values changes, raise `version`, and give a step from each older version to the next, which takes and returns
    plain values: `steps={1: lambda coins: {"coins": coins}}`. The opening of a channel migrates it, as it does declared values.

    Where it lives is the db config's to say: by an entry named `PLUGIN.NAME`, or `*` for all stores that have none, or else
    beside the first entry that keeps its data. Two plugins' stores never meet. Raises ValueError for what cannot be declared.
    """

    def __init__(
        self,
        name: str,
        *,
        model: type[T],
        default: T | Callable[[], T],
        scope: Scope = "member",
        version: int = 1,
        steps: Mapping[int, Callable[[Any], Any]] = MappingProxyType({}),
    ) -> None:
        if not name.isidentifier():
            raise ValueError(f"{name!r} cannot be the name of a store; use letters, digits and underscores, and begin with a letter")
        if scope not in get_args(Scope):
            raise ValueError(f"the store {name} has the scope {scope!r}; it can be {', '.join(map(repr, get_args(Scope)))}")
        self.name = name
        self.scope = scope
        self.is_shared = scope in _SHARED
        """Whether all channels share it."""
        self.version = version
        self.steps = steps
        self.module: str = sys._getframe(1).f_globals.get("__name__", "")
        """Where it was declared, which says whose it is."""
        self.form = form_of(model)
        self._default = default
        try:
            self.form.write(self._new())
        except ValueError as error:
            raise ValueError(f"the default of the store {name} is not what is declared: {error}") from error

    def __repr__(self) -> str:
        return f"Store({self.name!r})"

    def __getitem__(self, place: StoreContext | tuple[StoreContext, HasId | str]) -> T:
        """The value of the member who acts, or of the one given; the default if there is none. Raises PluginError if it cannot be read."""
        ctx, key, name, kept = self._find(place)
        held = ctx.held_values.get(name, key)
        if held is not None:
            return held  # type: ignore[no-any-return]  # of this store and key, so of this type
        value: T = self._read(kept, key, name)
        if not is_scalar(value):
            ctx.held_values.hold(name, kept, key, value, _named(self.form, f"{name}[{key!r}]"))
        return value

    def __setitem__(self, place: StoreContext | tuple[StoreContext, HasId | str], value: T) -> None:
        """Raises PluginError if the value is not what is declared."""
        ctx, key, name, kept = self._find(place)
        write = _named(self.form, f"{name}[{key!r}]")
        kept[key] = write(value)
        if is_scalar(value):
            ctx.held_values.let_go(name, key)
        else:
            ctx.held_values.hold(name, kept, key, value, write)

    def __delitem__(self, place: StoreContext | tuple[StoreContext, HasId | str]) -> None:
        """Go back to the default; nothing happens if it is that already."""
        ctx, key, name, kept = self._find(place)
        ctx.held_values.let_go(name, key)
        kept.pop(key, None)

    def has(self, ctx: StoreContext, who: HasId | str | None = None) -> bool:
        """Whether a value was set, be it equal to the default. Cheaper than to look at a model."""
        _, key, _, kept = self._find(ctx if who is None else (ctx, who))
        return key in kept

    def all(self, ctx: StoreContext) -> dict[str, T]:
        """What was set so far, by member id. Values that cannot be read are passed over, and stand in the log."""
        name = ctx.store_name(self)
        ctx.held_values.save()
        found = {}
        for key in _kept(ctx, name, self):
            try:
                found[key] = self[ctx] if self.scope in _WITH_ONE_KEY else self[ctx, key]
            except PluginError as error:
                log.error("%s", error)  # noqa: TRY400 - it says all that there is to say
        return found

    def _find(self, place: StoreContext | tuple[StoreContext, HasId | str]) -> tuple[StoreContext, str, str, CachedDict]:
        ctx, who = place if isinstance(place, tuple) else (place, None)
        if self.scope in _WITH_ONE_KEY:
            if who is not None:
                raise TypeError(f"the store {self.name} has one value for the {self.scope}, and none for a member; write {self.name}[ctx]")
            key: str = self.scope
        else:
            key = who if isinstance(who, str) else (ctx.member if who is None else who).id
        name = ctx.store_name(self)
        return ctx, key, name, _kept(ctx, name, self)

    def _read(self, kept: CachedDict, key: str, name: str) -> T:
        try:
            plain = kept[key]
        except KeyError:
            return self._new()
        except UnreadableValue as error:
            raise PluginError(f"{name}[{key!r}] cannot be read: {error}") from error
        try:
            return self.form.read(plain)  # type: ignore[no-any-return]
        except ValueError as error:
            raise PluginError(f"{name}[{key!r}] is not what is declared: {error}") from error

    def _new(self) -> T:
        default: Any = self._default() if callable(self._default) else self._default
        # A copy, so that nobody changes what the others will get.
        return default if is_scalar(default) else self.form.read(self.form.write(default))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class StoreValues(Values):
    """What the migration of declared values knows of a store."""

    form: Form = field(kw_only=True)

    def check(self, value: Any) -> None:
        """Raises ValueError if the plain value is not what is declared."""
        self.form.read(value)


def stores_of(plugin: str, module: ModuleType) -> tuple[Store[Any], ...]:
    """The stores that the plugin's module and its parts declare. Raises PluginError if two have one name."""
    parts = [part for name, part in list(sys.modules.items()) if name == module.__name__ or name.startswith(f"{module.__name__}.")]
    found = {id(each): each for part in (module, *parts) for each in list(vars(part).values()) if isinstance(each, Store)}
    own = [each for each in found.values() if each.module == module.__name__ or each.module.startswith(f"{module.__name__}.")]
    names = [each.name for each in own]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PluginError(f"{plugin} declares two stores named {twice!r}; rename one of the two")
    return tuple(own)


def values_of(plugin: str, stores: Iterable[Store[Any]]) -> tuple[StoreValues, ...]:
    """Raises PluginError for a version without its steps."""
    try:
        return tuple(StoreValues(f"{plugin}.{each.name}", None, each.version, each.steps, form=each.form) for each in stores)
    except ValueError as error:
        raise PluginError(str(error)) from error


def _kept(ctx: StoreContext, name: str, store: Store[Any]) -> CachedDict:
    storage = ctx.storage
    kept = storage.joint(name) if store.is_shared else getattr(storage, name) if name in storage.names() else None
    if kept is None:
        raise PluginError(f"the store {name} is new in the code of its plugin and not there yet; restart the service")
    return kept


def _named(form: Form, place: str) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        try:
            return form.write(value)
        except ValueError as error:
            raise PluginError(f"{place} is not what is declared: {error}") from error

    return write

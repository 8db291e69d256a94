"""Values of every kind that storage keeps, and the comparison that `==` is too forgiving for."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from storage.encoding import codec


@codec.register
class Element(enum.Enum):
    FIRE = "fire"
    ICE = 2


@codec.register
class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


@codec.register
class Rights(enum.Flag):
    READ = 1
    WRITE = 2
    ALL = 3


@codec.register
@dataclasses.dataclass
class Item:
    name: Any
    n: Any = 0
    tags: Any = dataclasses.field(default_factory=list)


@codec.register(name="frozen point")
@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: Any
    y: Any = None


any_text = st.text(st.characters(exclude_categories=()), max_size=12)
"""Strings with surrogates too, which Hypothesis leaves out by default."""

zones = st.one_of(
    st.none(),
    st.just(UTC),
    st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]).map(ZoneInfo),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
    st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23)), st.text(max_size=5)),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(1 << 700), 1 << 700),
    st.floats(allow_nan=False, allow_infinity=False),
    any_text,
    st.binary(max_size=12),
    st.dates(),
    st.datetimes(timezones=zones, allow_imaginary=True).flatmap(lambda moment: st.sampled_from([moment, moment.replace(fold=1)])),
    st.times(timezones=zones),
    st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.uuids(),
    st.sampled_from([*Element, *Rank, *Rights, Rights(0)]),
)
hashables = st.recursive(
    scalars,
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3), st.builds(Point, inner, inner)),
    max_leaves=4,
)
keys = st.one_of(any_text, st.sampled_from(["$set", "$$set", "$data", "$", ""]))
values = st.recursive(
    hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(hashables, max_size=3),
        st.tuples(inner),
        st.builds(Item, inner, inner, inner),
    ),
    max_leaves=12,
)


def assert_same(found: Any, expected: Any) -> None:
    """Equal, and of the same types all the way down; -0.0 is not 0.0, and a zone is not another zone with the same offset."""
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, item in expected.items():
            assert_same(found[key], item)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for found_item, item in zip(found, expected, strict=True):
            assert_same(found_item, item)
    elif isinstance(expected, set | frozenset):
        # Equal members of two sets need not be the same (0.0 and -0.0, Rank.LOW and 1): pair them by what tells them apart.
        for found_item, item in zip(sorted(found, key=_exactly), sorted(expected, key=_exactly), strict=True):
            assert_same(found_item, item)
    elif dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(expected, datetime | time | float | Decimal):
        assert repr(found) == repr(expected)
    else:
        assert found == expected


def _exactly(member: Any) -> str:
    if isinstance(member, frozenset):
        return f"{{{sorted(map(_exactly, member))}}}"
    if isinstance(member, tuple):
        return f"({[_exactly(item) for item in member]})"
    if isinstance(member, Point):
        return f"Point{_exactly((member.x, member.y))}"
    return f"{type(member).__name__} {member!r}"


EXAMPLES: dict[str, Any] = {
    "null": None,
    "truth": True,
    "number": 80,
    "big number": 2**64 + 1,
    "huge number": -(10**5000),
    "float": 0.1,
    "whole float": 1.0,
    "negative zero": -0.0,
    "smallest float": 5e-324,
    "text": "Grüße 🐉 \u2028 \x85 \n \0",
    "lone surrogate": "\ud800",
    "pair of surrogates": "\ud83d\ude00",
    "list": [1, [2, {"three": 3}]],
    "dict": {"hp": 3, "": {"$set": [1]}, "$": None},
    "tag look-alike": {"$set": [1, 2]},
    "surrogate key": {"\udfff": 1, "plain": 2},
    "tuple": (1, (2,), []),
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset({frozenset(), 1.5}),
    "bytes": b"\x00\xff",
    "datetime": datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    "named offset": datetime(1, 1, 1, tzinfo=timezone(timedelta(seconds=-1), "odd")),
    "date": date(9999, 12, 31),
    "time": time(23, 59, 59, 999999, tzinfo=UTC),
    "timedelta": timedelta(days=-1, microseconds=1),
    "decimal": Decimal("1.50"),
    "negative zero decimal": Decimal("-0E+5"),
    "uuid": UUID(int=7),
    "enum": Element.ICE,
    "int enum": Rank.HIGH,
    "flags": Rights.READ | Rights.WRITE,
    "dataclass": Item("sword", 2, [Point(1, {"deep": {1}})]),
}
"""One value of each kind, for tests that visit them all by name."""

"""Copies of events and downs with some fields changed."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def altered(item: T, **changes: Any) -> T:
    """`dataclasses.replace` for a dataclass without slots and `__post_init__`.

    It copies the fields as they are instead of going through `__init__` by reflection, which takes ten times as long; every
    event needs several such copies.
    """
    copy = object.__new__(type(item))
    copy.__dict__.update(item.__dict__, **changes)
    return copy

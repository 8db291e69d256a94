"""The views and copies of a CachedDict beside those of a plain dict."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.dicts.cached_dict import CachedDict
from storage.json.database import JSONDatabase


@pytest.fixture(params=[False, True])
def bars(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = CachedDict(JSONDatabase("service_1.channel_x.bars", str(tmp_path)))
    if request.param:
        made.load()
    yield made
    made.close()


def test_what_is_no_pair_is_not_among_the_items(bars: CachedDict) -> None:
    bars["ann"] = 1
    plain: Any = {"ann": 1}
    items: Any = bars.items()
    others: tuple[Any, ...] = ("ann", "an", 5, None, (), ("ann",), ("ann", 1, 2), ("ann", 2), (5, 1), ["ann", 1], ("ann", 1))
    for item in others:
        assert (item in items) == (item in plain.items()), item
    with pytest.raises(TypeError):
        ([], 1) in items  # noqa: B015 - as with a dict


def test_views_tell_their_mapping_read_only(bars: CachedDict) -> None:
    views: list[Any] = [bars.keys(), bars.values(), bars.items()]
    bars["ann"] = 1
    for view in views:
        assert view.mapping == {"ann": 1}
        with pytest.raises(TypeError):
            view.mapping["ann"] = 2


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, CachedDict.copy, dict])
def test_a_copy_lives_apart_from_the_engine(bars: CachedDict, way: Callable[[Any], dict[str, Any]]) -> None:
    bars["ann"] = 80
    made = way(bars)
    made["ann"] = 0
    assert type(made) is dict
    assert bars["ann"] == 80

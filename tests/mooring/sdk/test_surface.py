"""The table of what has become of the SDK's names, compared with the SDK itself."""

from __future__ import annotations

import ast
import inspect
import logging
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import moobius
import moobius.json_utils
import moobius.types
import pytest
from moobius.core.groups import ServiceGroupLib
from moobius.database.storage import CachedDict as TheirCachedDict
from moobius.network.http_api_wrapper import HTTPAPIWrapper
from moobius.network.ws_client import WSClient

import mooring
from mooring import Moobius, MoobiusStorage, NotSupported, types
from mooring.sdk import surface
from mooring.sdk.surface import SURFACES, Surface
from storage import CachedDict
from tests.service_for_tests import Driver, json_dicts, running

CLASSES: dict[str, type] = {
    "Moobius": moobius.Moobius,
    "MoobiusStorage": moobius.MoobiusStorage,
    "CachedDict": TheirCachedDict,
    "http_api": HTTPAPIWrapper,
    "ws_client": WSClient,
    "group_lib": ServiceGroupLib,
}
ARGUMENTS_OF_OUR_OWN = {("MoobiusStorage", "put"), ("ws_client", "send"), ("group_lib", "convert_list")}
"""Calls whose arguments have other names, or are of a more precise type, with the same places."""


def names_of(cls: type) -> set[str]:
    """Public methods, and what the constructor sets."""
    constructor = ast.parse(textwrap.dedent(inspect.getsource(cls.__init__)))  # type: ignore[misc]
    targets = (node for node in ast.walk(constructor) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    attributes = {node.attr for node in targets if isinstance(node.value, ast.Name) and node.value.id == "self"}
    return {name for name in {*vars(cls), *attributes} if not name.startswith("_")}


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Driver[Moobius]]:
    async with running(tmp_path, Moobius, db_config=json_dicts(tmp_path, "stats")) as driver:
        yield driver


def place_of(owner: str, service: Moobius) -> Any:
    storage = service.channels["tavern"]
    places = {"Moobius": service, "MoobiusStorage": storage, "CachedDict": storage.stats}
    return places[owner] if owner in places else getattr(service, owner)


@pytest.mark.parametrize("owner", CLASSES)
def test_each_name_stands_in_the_table_once(owner: str) -> None:
    [table] = [each for each in SURFACES if each.owner == owner]
    named = [*table.here, *table.nothing, *table.missing]
    assert len(named) == len(set(named))
    assert set(named) == names_of(CLASSES[owner])


@pytest.mark.parametrize("owner", CLASSES)
async def test_what_the_table_calls_here_is_here_with_the_same_arguments(owner: str, bot: Driver[Moobius]) -> None:
    [table] = [each for each in SURFACES if each.owner == owner]
    place = place_of(owner, bot.service)
    for name in (*table.here, *table.nothing):
        ours = getattr(place, name)
        theirs = getattr(CLASSES[owner], name, None)
        if not inspect.isfunction(theirs) or owner == "http_api" or (owner, name) in ARGUMENTS_OF_OUR_OWN or name in surface.SERVICE.nothing:
            continue
        _, *wanted = inspect.signature(theirs).parameters.values()
        found = list(inspect.signature(ours).parameters.values())
        if not name.startswith("on_"):  # which are called with one argument, by place
            assert [parameter.name for parameter in found][: len(wanted)] == [parameter.name for parameter in wanted], name
        assert len([each for each in found if each.default is each.empty]) <= len([each for each in wanted if each.default is each.empty]), name
        assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs), name


@pytest.mark.parametrize("owner", CLASSES)
async def test_what_is_missing_says_so_and_why(owner: str, bot: Driver[Moobius]) -> None:
    [table] = [each for each in SURFACES if each.owner == owner]
    place = place_of(owner, bot.service)
    for name, why in table.missing.items():
        with pytest.raises(NotSupported, match=f"{table.owner}.{name} is not there: "):
            getattr(place, name)
        assert not hasattr(place, name)
        assert why
    with pytest.raises(AttributeError) as unknown:
        place.no_such_name  # noqa: B018
    assert not isinstance(unknown.value, NotSupported)


async def test_what_does_nothing_says_so_once(bot: Driver[Moobius], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    calls = [name for name in surface.SERVICE.nothing if not name.startswith("on_") and not name.endswith("_interval")]
    for name in calls * 2:
        await getattr(bot.service, name)()
    assert [record.getMessage() for record in caplog.records if "does nothing here" in record.getMessage()] == [
        f"{name} does nothing here: {surface.SERVICE.nothing[name]}" for name in calls
    ]


async def test_hooks_that_are_never_called_are_named_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(Moobius):
        async def on_update_canvas(self, update: types.UpdateBody) -> None:
            raise AssertionError

        async def on_copy_client(self, copy: types.CopyBody) -> None:
            await super().on_copy_client(copy)

    caplog.set_level(logging.INFO)
    async with running(tmp_path, Deaf):
        assert "Deaf overrides hooks that are never called here: on_copy_client, on_update_canvas" in caplog.text


def test_the_wand() -> None:
    [table] = [each for each in SURFACES if each.owner == "MoobiusWand"]
    assert {*table.here, *table.missing} == names_of(moobius.MoobiusWand)


@pytest.mark.parametrize(("owner", "theirs", "ours"), [("types", moobius.types, types), ("json_utils", moobius.json_utils, mooring.json_utils)])
def test_modules(owner: str, theirs: Any, ours: Any) -> None:
    [table] = [each for each in SURFACES if each.owner == owner]
    own = {
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_") and not inspect.ismodule(value) and getattr(value, "__module__", theirs.__name__) == theirs.__name__
    }
    assert {name for name in own if not hasattr(ours, name)} == set(table.missing)


def test_the_package() -> None:
    assert all(hasattr(mooring, name) for name in ("Moobius", "MoobiusStorage", "MoobiusWand", "types", "json_utils"))
    assert issubclass(Moobius, mooring.ChannelService)
    assert (MoobiusStorage, CachedDict) == (mooring.MoobiusStorage, type(MoobiusStorage("1", "c", {"implementation": "null", "name": "d"}).d))


def test_a_table_knows_its_names() -> None:
    table = Surface("x", "y", here={"a": ""}, missing={"b": "why"})
    assert ("a" in table, "b" in table, "c" in table) == (True, True, False)


async def test_a_bot_makes_a_channel_and_binds_and_unbinds_it(bot: Driver[Moobius]) -> None:
    service = bot.service
    made = await service.create_channel("A room", "For all")
    assert service.channel_info(made).channel_description == "For all"
    await service.update_channel(made, "Another room", "For some")
    assert service.channel_info(made).channel_name == "Another room"
    await service.unbind_service_from_channel(made)
    assert made not in await service.fetch_channel_list()
    assert await service.bind_service_to_channel(made)
    assert made in await service.fetch_channel_list()
    assert not await service.bind_service_to_channel("nowhere")
    later = await service.http_api.create_channel("Later", "Not yet")
    assert later not in service.channel_ids()
    assert await service.http_api.bind_service_to_channel(service.client_id, later)
    assert later in service.channel_ids()

"""`mooring.types` beside the SDK's own: words, classes and helpers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import moobius.types as theirs
import pytest

from mooring import types
from mooring.recipients import Everyone
from storage import MoobiusStorage
from storage.errors import ValueRefused

CLASSES = [name for name, value in vars(theirs).items() if isinstance(value, type) and dataclasses.is_dataclass(value)]
ANN = types.Character("ann", "Ann", character_context={"role": "owner"})


def test_the_words_are_the_sdks() -> None:
    words = {name: value for name, value in vars(theirs).items() if name.isupper() and name != "S3BUCKET"}
    assert {name: getattr(types, name) for name in words if isinstance(words[name], str)} == {
        name: value for name, value in words.items() if isinstance(value, str)
    }
    assert words["IMAGE_EXTS"] <= types.IMAGE_EXTS
    assert words["AUDIO_EXTS"] <= types.AUDIO_EXTS


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_begin_with_the_fields_of_the_sdk(name: str) -> None:
    wanted = [field.name for field in dataclasses.fields(getattr(theirs, name))]
    assert [field.name for field in dataclasses.fields(getattr(types, name))][: len(wanted)] == wanted


def test_a_star_brings_in_what_the_sdk_documents() -> None:
    names: dict[str, Any] = {}
    exec("from mooring.types import *", names)
    assert {"Button", "UpdateBody", "limit_len", "SERVICE", *CLASSES} <= names.keys()


@pytest.mark.parametrize("name", CLASSES)
def test_objects_of_the_classes_are_kept(name: str, tmp_path: Path) -> None:
    cls = getattr(types, name)
    value = cls(**{field.name: None for field in dataclasses.fields(cls)})
    config = [{"implementation": "json", "name": "kept", "settings": {"root_dir": str(tmp_path)}}]
    with MoobiusStorage("1", "c", config) as storage:
        storage.kept["x"] = [value]
    with MoobiusStorage("1", "c", config) as storage:
        assert storage.kept["x"] == [value]


def test_a_dataclass_of_the_bot_is_refused_with_the_line_that_lets_it_in(tmp_path: Path) -> None:
    @dataclasses.dataclass
    class Planet:
        name: str

    with (
        MoobiusStorage("1", "c", [{"implementation": "null", "name": "kept"}]) as storage,
        pytest.raises(ValueRefused, match=r"Planet is not registered; put the line @register above the class.*from storage import register"),
    ):
        storage.kept["x"] = Planet("Mars")


def test_everyone_is_kept_as_a_list() -> None:
    with MoobiusStorage("1", "c", [{"implementation": "null", "name": "kept"}]) as storage:
        storage.kept["all"] = {"of them": Everyone(["ann", "bob"])}
        assert json.dumps(storage.kept.copy()) == '{"all": {"of them": ["ann", "bob"]}}'


def test_limit_len() -> None:
    for text, limit in (("short", 10), ("x" * 100, 10), ("", 0)):
        assert types.limit_len(text, limit) == theirs.limit_len(text, limit)


@pytest.mark.parametrize("given", ["ann", ANN, ["ann", ANN], ("ann", "bob"), {"ann": 1}, ["bob", ["ann", [ANN]]], Everyone(["ann", "bob"])])
def test_to_char_id_list(given: Any) -> None:
    assert set(types.to_char_id_list(given)) <= {"ann", "bob"}
    assert types.to_char_id_list(given)
    assert type(types.to_char_id_list(given)) is list


@pytest.mark.parametrize("given", [5, [5], [None]])
def test_what_is_no_character_is_named(given: Any) -> None:
    with pytest.raises(TypeError, match="expected ids or Characters"):
        types.to_char_id_list(given)


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("hello", {"channel_id": "c", "sender": "ann", "recipients": ["bob"]}),
        ("x" * 50, {"recipients": ["bob"], "len_limit": 10}),
        ("https://example.org/a.png", {"subtype": "image", "recipients": ["bob"]}),
        ("https://example.org/a.bin", {"file_display_name": "data", "recipients": ["bob"]}),
        (Path("a/b.mp4"), {"recipients": ["bob"], "sender": "ann"}),
        ({"subtype": "text", "content": {"text": "hi"}, "recipients": ["bob"]}, {"channel_id": "c"}),
        ({"link": "https://example.org", "title": "T", "button": "Go", "text": "x"}, {"recipients": ["bob"]}),
        ("old", {"text": "new", "recipients": ["bob"], "context": {"a": 1}}),
    ],
)
def test_normalize_message(message: Any, given: dict[str, Any]) -> None:
    ours, sdk = types.normalize_message(message, **given), theirs.normalize_message(message, **given)
    assert dataclasses.asdict(ours.pop("content")) == dataclasses.asdict(sdk.pop("content"))
    assert ours == sdk


def test_normalize_message_of_a_message() -> None:
    body = ("text", "c", types.MessageContent("hi"), 5, ["bob"], "ann", "id-1", {"group_id": "g"})
    ours = types.normalize_message(types.MessageBody(*body), recipients=[])
    sdk = theirs.normalize_message(theirs.MessageBody(*body[:2], theirs.MessageContent("hi"), *body[3:]), recipients=[])
    assert ours.pop("content").text == sdk.pop("content").text
    assert ours == sdk


@pytest.mark.parametrize(
    ("subtype", "content", "field"),
    [
        ("canvas", [{"text": "a"}, {"path": "b"}], "canvas_item"),
        ("menu", [{"menu_item_id": "1", "menu_item_text": "One", "message_subtypes": ["text"]}], "menu_item"),
        ("style", [{"widget": "canvas", "display": "visible"}], "style_item"),
        ("buttons", [{"button_id": "b", "button_text": "B"}], "button"),
    ],
)
def test_as_update_body(subtype: str, content: list[dict[str, Any]], field: str) -> None:
    payload = {"subtype": subtype, "channel_id": "c", "content": content, "recipients": ["ann"]}
    ours, sdk = types.as_update_body(payload), theirs.as_update_body(payload)
    for mine, other in zip(ours.content, sdk.content, strict=True):
        assert vars(getattr(mine, field)).items() >= vars(getattr(other, field)).items()
    assert (ours.subtype, ours.channel_id, ours.recipients, len(ours.content)) == (subtype, "c", ["ann"], len(content))


def test_as_update_body_of_what_shows_the_channel() -> None:
    shown = {"characters": ["ann", {"character_id": "bob", "name": "Bob"}]}
    characters = types.as_update_body({"subtype": "characters", "channel_id": "c", "content": shown})
    assert [(item.character and item.character.name) for item in characters.content] == ["ann", "Bob"]
    info = {"channel_id": "c", "channel_name": "C", "channel_description": "", "channel_type": "ccs"}
    assert types.as_update_body({"subtype": "channel_info", "channel_id": "c", "content": info}).content[0].channel_info == types.ChannelInfo(**info)
    with pytest.raises(ValueError, match="there is no update 'canvass'"):
        types.as_update_body({"subtype": "canvass", "channel_id": "c", "content": []})


def test_payload_as_dict() -> None:
    copy = ("id", "message_down", True)
    assert types.payload_as_dict("copy", types.CopyBody(*copy), "1", "u") == theirs.payload_as_dict("copy", theirs.CopyBody(*copy), "1", "u")
    assert types.payload_as_dict("message_down", {"a": 1}, "1", "u") == theirs.payload_as_dict("message_down", {"a": 1}, "1", "u")


def test_add_str_method_and_assert_strs() -> None:
    @types.add_str_method
    @dataclasses.dataclass
    class Planet:
        name: str
        moons: int = 0

    assert str(Planet("Mars")) == repr(Planet("Mars", 0)) == "Planet(name=Mars)"
    assert types.assert_strs("a", "b") == theirs.assert_strs("a", "b")
    with pytest.raises(TypeError, match="argument 1 is a int"):
        types.assert_strs("a", 1)

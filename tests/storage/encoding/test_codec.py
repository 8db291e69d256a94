"""The codec: exact round trips, or a refusal that names the part."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import io
import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.encoding import codec
from storage.encoding.registry import Registry
from storage.errors import StorageError, UnreadableValue, ValueRefused
from tests.storage.values_for_tests import EXAMPLES, Item, Point, any_text, assert_same, values


class Pair(NamedTuple):
    left: int
    right: int


class Shout(str):
    pass


class Stranger(enum.Enum):
    HERE = 1


@dataclasses.dataclass
class Unknown:
    x: int = 0


class MyZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return "mine"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@given(values)
def test_every_value_comes_back_the_same(value: Any) -> None:
    encoded = codec.encode(value)
    assert_same(codec.decode(encoded), value)
    assert_same(codec.decode(msgspec.Raw(encoded)), value)
    assert codec.encode(codec.decode(encoded)) == encoded


@pytest.mark.parametrize("kind", EXAMPLES)
def test_each_kind_comes_back_the_same(kind: str) -> None:
    assert_same(codec.decode(codec.encode(EXAMPLES[kind])), EXAMPLES[kind])


@given(values)
def test_encoded_text_is_one_line_of_strict_json(value: Any) -> None:
    text = codec.encode(value).decode("utf-8", "strict")
    assert "\n" not in text
    json.loads(text, parse_constant=pytest.fail)
    assert bytes(msgspec.json.decode(b'{"key":' + text.encode() + b"}", type=dict[str, msgspec.Raw])["key"]) == text.encode()


@given(values)
def test_decoding_shares_nothing_between_two_calls(value: Any) -> None:
    encoded = codec.encode([value])
    first = codec.decode(encoded)
    first.append("changed")
    assert_same(codec.decode(encoded), [value])


def test_plain_json_is_written_as_plain_json() -> None:
    assert codec.encode({"hp": 80, "items": [1.5, None, True, "é"]}) == '{"hp":80,"items":[1.5,null,true,"é"]}'.encode()


def test_equal_sets_encode_equal() -> None:
    # 0 and 8 fall into one slot of a small hash table, so that the order of iteration is the order of insertion.
    one, other = {0, 8}, {8, 0}
    assert list(one) != list(other)
    assert codec.encode(one) == codec.encode(other)


def test_moments_at_a_repeated_hour_keep_which_one_they_mean() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=berlin) for fold in (0, 1))
    assert codec.decode(codec.encode(first)).utcoffset() == timedelta(hours=2)
    assert codec.decode(codec.encode(second)).utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        (float("nan"), "value", "nan has no JSON form"),
        ({"items": [{"hp": float("inf")}]}, 'value["items"][0]["hp"]', "inf has no JSON form"),
        ([1, -float("inf")], "value[1]", "-inf"),
        (Decimal("NaN"), "value", "Decimal NaN"),
        (Decimal("-Infinity"), "value", "Infinity"),
        ({"stats": {1: 2}}, 'value["stats"]', "the dict key 1 is of type int"),
        ({"a": {None: 2, "b": 1}}, 'value["a"]', "NoneType"),
        ({Shout("a"): 1}, "value", "of type Shout"),
        (Item("sword", tags=[Point(float("nan"))]), "value.tags[0].x", "nan"),
        ({"who": (1, {"ann", object})}, 'value["who"][1]{<class \'object\'>}', "values of type type"),
        (collections.OrderedDict(a=1), "value", "subclass of dict"),
        (collections.Counter("aa"), "value", "subclass of dict"),
        (Pair(1, 2), "value", "subclass of tuple"),
        ([Shout("hey")], "value[0]", "subclass of str"),
        (bytearray(b"x"), "value", "bytearray"),
        (lambda: None, "value", "values of type function"),
        (1j, "value", "complex"),
        ({"x": Unknown()}, 'value["x"]', "Unknown is not registered; put the line @register above the class"),
        (Stranger.HERE, "value", "Stranger is not registered"),
        (datetime(2024, 1, 1, tzinfo=MyZone()), "value", "MyZone"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_its_path(value: Any, path: str, problem: str) -> None:
    with pytest.raises(ValueRefused) as refusal:
        codec.encode(value)
    assert refusal.value.path == path
    assert problem in refusal.value.problem


def test_the_path_starts_with_the_name_that_was_given() -> None:
    with pytest.raises(ValueRefused) as refusal:
        codec.encode([object()], name='stats["ann"]')
    assert str(refusal.value).startswith('stats["ann"][0]: ')


def test_a_zone_that_has_no_key_is_refused() -> None:
    sizes = b"".join(count.to_bytes(4, "big") for count in (0, 0, 0, 0, 1, 4))
    unnamed = ZoneInfo.from_file(io.BytesIO(b"TZif" + b"\0" * 16 + sizes + b"\0" * 6 + b"UTC\0"))
    with pytest.raises(ValueRefused, match="cannot be found again"):
        codec.encode(datetime(2024, 1, 1, tzinfo=unnamed))


def test_values_that_contain_themselves_are_refused() -> None:
    loop: dict[str, Any] = {"items": []}
    loop["items"].append(loop)
    with pytest.raises(ValueRefused, match="contains itself") as refusal:
        codec.encode(loop)
    assert refusal.value.path == 'value["items"][0]'


def test_one_object_in_two_places_is_no_cycle() -> None:
    shared: list[int] = [1]
    assert codec.decode(codec.encode([shared, (shared,)])) == [[1], ([1],)]


def test_the_deepest_accepted_value_comes_back_and_a_deeper_one_is_refused() -> None:
    deepest = nested(200)
    assert_same(codec.decode(codec.encode(deepest)), deepest)
    with pytest.raises(ValueRefused, match="nests deeper than 200 levels"):
        codec.encode([deepest])
    with pytest.raises(ValueRefused, match="nests deeper"):
        codec.encode(nested(100_000))


@pytest.mark.parametrize("wrap", [Point, lambda inner: (inner,), lambda inner: frozenset([inner]), lambda inner: {"\ud800": inner}])
@pytest.mark.parametrize("frames", [0, 850])
def test_tags_nest_as_deep_as_lists(wrap: Callable[[Any], Any], frames: int) -> None:
    """Wherever on the stack this happens."""
    value: Any = ()
    for _ in range(199):
        value = wrap(value)

    def there_and_back(below: int) -> Any:
        return there_and_back(below - 1) if below else codec.decode(codec.encode(value))

    same = there_and_back(frames)
    for _ in range(199):
        assert type(same) is type(value)
        [same], [value] = (([each.x] if isinstance(each, Point) else each.values() if isinstance(each, dict) else each) for each in (same, value))
    assert same == value == ()


def test_a_nearly_exhausted_stack_gives_the_storage_errors() -> None:
    def at_the_brink(action: Any) -> Any:
        try:
            return at_the_brink(action)
        except RecursionError:
            return action()

    encoded = codec.encode(Point(nested(90)))
    for action in (lambda: codec.encode(Point(nested(90))), lambda: codec.decode(encoded)):
        with pytest.raises(StorageError):
            at_the_brink(action)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"nul",
        b"NaN",
        b"1 2",
        b"1e999",
        b'"\xff"',
        b'"\\ud800"',
        b"[" * 100_000,
        b'{"$set":' * 100_000,
        b"9" * 10_000,
        b'{"$nothing":1}',
        b'{"$set":[[1]]}',
        b'{"$set":{"a":1}}',
        b'{"$tuple":"ab"}',
        b'{"$bytes":"*"}',
        b'{"$bytes":5}',
        b'{"$decimal":"NaN"}',
        b'{"$decimal":"1.2.3"}',
        b'{"$decimal":1.5}',
        b'{"$int":"zz"}',
        b'{"$text":"%ff"}',
        b'{"$dict":[["a"]]}',
        b'{"$dict":[[1,2]]}',
        b'{"$uuid":"7"}',
        b'{"$uuid":7}',
        b'{"$date":"2024-13-01"}',
        b'{"$date":null}',
        b'{"$datetime":["2024-01-01T00:00:00","../../etc/passwd",0]}',
        b'{"$datetime":["2024-01-01T00:00:00","Nowhere/Land",0]}',
        b'{"$datetime":["2024-01-01T00:00:00","Europe",0]}',
        b'{"$datetime":["2024-01-01T00:00:00+01:00",null,0]}',
        b'{"$time":["10:00",null,7]}',
        b'{"$timedelta":[1]}',
        b'{"$timedelta":[1.5,0,0]}',
        b'{"$timedelta":[9999999999,0,0]}',
        b'{"$enum":["Element","WATER"]}',
        b'{"$enum":["Element",2]}',
        b'{"$enum":["Rights",1.0]}',
        b'{"$enum":["Item","name"]}',
        b'{"$enum":["Nobody","A"]}',
        b'{"$enum":[["Element"],"FIRE"]}',
        b'{"$data":["Nobody",{}]}',
        b'{"$data":["Element",{}]}',
        b'{"$data":["Item",{"name":1,"colour":2}]}',
        b'{"$data":["Item",{"n":1}]}',
        b'{"$data":["Item",[]]}',
        b'{"$data":["os.system",{"command":"true"}]}',
    ],
)
def test_stored_text_that_cannot_be_restored_raises_the_storage_error(text: bytes) -> None:
    with pytest.raises(UnreadableValue):
        codec.decode(text)


@given(st.recursive(st.one_of(any_text, st.integers(), st.floats(), st.none()), lambda inner: st.lists(inner, max_size=3), max_leaves=6),
       st.sampled_from(["set", "tuple", "dict", "int", "text", "bytes", "datetime", "date", "time", "timedelta", "decimal", "uuid", "enum", "data"]))
def test_no_tag_content_escapes_as_another_error(content: Any, tag: str) -> None:
    text = json.dumps({f"${tag}": content}).encode()
    try:
        value = codec.decode(text)
    except UnreadableValue:
        return
    codec.encode(value)


def test_missing_fields_take_their_defaults() -> None:
    restored = codec.decode(b'{"$data":["Item",{"name":"sword"}]}')
    assert_same(restored, Item("sword"))
    restored.tags.append(1)
    assert codec.decode(b'{"$data":["Item",{"name":"sword"}]}').tags == []


def test_restoring_runs_no_code_of_the_class() -> None:
    registry = Registry()
    ran: list[str] = []

    @registry.register
    @dataclasses.dataclass
    class Noisy:
        x: int

        def __post_init__(self) -> None:
            ran.append("post_init")

        def __setattr__(self, name: str, value: Any) -> None:
            ran.append("setattr")
            object.__setattr__(self, name, value)

    encoded = codec.encode(Noisy(1), registry=registry)
    ran.clear()
    assert codec.decode(encoded, registry=registry) == Noisy(1)
    assert ran == ["setattr", "post_init"]  # those of the Noisy(1) on the right-hand side


def test_attributes_that_are_no_fields_are_refused() -> None:
    item: Any = Item("sword")
    item.colour = "red"
    with pytest.raises(ValueRefused, match="'colour' is no field"):
        codec.encode([item])


def test_slots_that_are_no_fields_are_refused() -> None:
    registry = Registry()

    class Base:
        __slots__ = ("hidden",)

    @registry.register
    @dataclasses.dataclass
    class Child(Base):
        __slots__ = ("x",)
        x: int

    child = Child(1)
    assert codec.decode(codec.encode(child, registry=registry), registry=registry) == child
    vars(Base)["hidden"].__set__(child, 2)
    with pytest.raises(ValueRefused, match="'hidden' is no field"):
        codec.encode(child, registry=registry)


def test_a_field_that_was_never_set_is_refused() -> None:
    point = object.__new__(Point)
    with pytest.raises(ValueRefused, match="'x' of Point was never set"):
        codec.encode(point)


def test_names_of_registered_classes() -> None:
    registry = Registry()
    assert registry.register(Unknown) is Unknown
    assert registry.register(Unknown) is Unknown
    assert codec.encode(Unknown(3), registry=registry) == b'{"$data":["Unknown",{"x":3}]}'
    with pytest.raises(StorageError, match="already belongs to"):
        registry.register(Stranger, name="Unknown")
    with pytest.raises(StorageError, match="already registered as 'Unknown'"):
        registry.register(Unknown, name="Other")
    assert registry.class_of("Other") is None


def test_a_renamed_class_reads_what_was_stored_under_the_old_name() -> None:
    registry = Registry()
    registry.register(name="OldName")(Unknown)
    assert codec.decode(b'{"$data":["OldName",{"x":3}]}', registry=registry) == Unknown(3)


def test_classes_that_cannot_be_restored_cannot_be_registered() -> None:
    @dataclasses.dataclass
    class Words(dict[str, int]):
        x: int = 0

    class Plain:
        pass

    class Half(Unknown):
        y: int = 0

    for cls in (Words, Plain, Half, functools.partial(Unknown)):
        with pytest.raises(StorageError):
            Registry().register(cls)  # type: ignore[type-var]


@given(any_text, any_text)
def test_escaped_keys_come_back_and_never_meet(key: str, other: str) -> None:
    for text in (key, "$" + key, "$%" + key, "\ud83d" + key):
        assert codec.unescape_key(codec.escape_key(text)) == text
        codec.escape_key(text).encode("utf-8", "strict")
    assert (codec.escape_key(key) == codec.escape_key(other)) == (key == other)
    assert not codec.escape_key(key).startswith("$mooring")


@pytest.mark.parametrize("text", ["$", "$mooring", "$%ff", "$%é\ud800"])
def test_keys_that_nobody_escaped_are_unreadable(text: str) -> None:
    with pytest.raises(UnreadableValue):
        codec.unescape_key(text)


def test_numbers_of_any_length_do_not_depend_on_the_limit_for_decimal_text() -> None:
    huge = 7 ** 5000
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert codec.decode(codec.encode([huge, -huge])) == [huge, -huge]
    finally:
        sys.set_int_max_str_digits(limit)

"""Texts as they were stored by earlier versions. They stay readable, and the format does not change by accident."""

from __future__ import annotations

import pytest

from storage.encoding import codec
from tests.storage.values_for_tests import EXAMPLES, assert_same

FORMAT_1 = {
    "null": 'null',
    "truth": 'true',
    "number": '80',
    "big number": '18446744073709551617',
    "huge number": '{"$int":"-0x1' + "0" * 130 + '"}',
    "float": '0.1',
    "whole float": '1.0',
    "negative zero": '-0.0',
    "smallest float": '5e-324',
    "text": '"Grüße 🐉 \u2028 \x85 \\n \\u0000"',
    "lone surrogate": '{"$text":"%ED%A0%80"}',
    "pair of surrogates": '{"$text":"%ED%A0%BD%ED%B8%80"}',
    "list": '[1,[2,{"three":3}]]',
    "dict": '{"hp":3,"":{"$$set":[1]},"$":null}',
    "tag look-alike": '{"$$set":[1,2]}',
    "surrogate key": '{"$dict":[[{"$text":"%ED%BF%BF"},1],["plain",2]]}',
    "tuple": '{"$tuple":[1,{"$tuple":[2]},[]]}',
    "set": '{"$set":["a",1,{"$tuple":[2,3]}]}',
    "frozenset": '{"$frozenset":[1.5,{"$frozenset":[]}]}',
    "bytes": '{"$bytes":"AP8="}',
    "datetime": '{"$datetime":["2024-10-27T02:30:00","Europe/Berlin",1]}',
    "named offset": '{"$datetime":["0001-01-01T00:00:00",[-1,86399,0,"odd"],0]}',
    "date": '{"$date":"9999-12-31"}',
    "time": '{"$time":"23:59:59.999999+00:00"}',
    "timedelta": '{"$timedelta":[-1,0,1]}',
    "decimal": '{"$decimal":"1.50"}',
    "negative zero decimal": '{"$decimal":"-0E+5"}',
    "uuid": '{"$uuid":"00000000-0000-0000-0000-000000000007"}',
    "enum": '{"$enum":["Element","ICE"]}',
    "int enum": '{"$enum":["Rank","HIGH"]}',
    "flags": '{"$enum":["Rights",3]}',
    "dataclass": '{"$data":["Item",{"name":"sword","n":2,"tags":[{"$data":["frozen point",{"x":1,"y":{"deep":{"$set":[1]}}}]}]}]}',
}


@pytest.mark.parametrize("kind", FORMAT_1)
def test_texts_of_the_first_format_are_read_and_written_as_they_were(kind: str) -> None:
    value = -(1 << 520) if kind == "huge number" else EXAMPLES[kind]
    assert_same(codec.decode(FORMAT_1[kind].encode()), value)
    assert codec.encode(value) == FORMAT_1[kind].encode()


def test_every_kind_has_a_text() -> None:
    assert FORMAT_1.keys() == EXAMPLES.keys()

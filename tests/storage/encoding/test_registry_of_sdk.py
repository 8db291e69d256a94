"""Dataclasses of the Moobius SDK are kept without being registered, and read as Mooring's own where the SDK is not loaded."""

from __future__ import annotations

import subprocess
import sys

import moobius.types as theirs
import pytest

from storage.encoding import codec
from storage.encoding.registry import Registry
from storage.errors import StorageError, UnreadableValue
from tests.storage.values_for_tests import Item

CHARACTER = b'{"$data":["moobius.types.Character",{"character_id":"a","name":"Ann","avatar":null,"description":null,"character_context":null}]}'


def test_they_come_back_as_they_were() -> None:
    value = {"a": theirs.Character("a", "Ann"), "b": [theirs.Button("x", "X", theirs.Dialog(components=[theirs.InputComponent("l", "text")]))]}
    assert codec.decode(codec.encode(value)) == value
    assert codec.encode(theirs.Character("a", "Ann")) == CHARACTER


def test_where_the_sdk_is_not_loaded_they_are_ours_and_nothing_is_imported() -> None:
    script = f"""
import sys
import mooring
from storage.encoding import codec
found = codec.decode({CHARACTER!r})
assert found == mooring.Character("a", "Ann"), found
assert b"mooring.Character" in codec.encode(found)
assert "moobius" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ["moobius.types.os", "moobius.types.Nothing", "moobius.types.Any", "os.system", "moobius.types.logger"])
def test_no_other_name_builds_anything(name: str) -> None:
    with pytest.raises(UnreadableValue, match="not registered"):
        codec.decode(b'{"$data":["%b",{}]}' % name.encode())


def test_a_class_reads_what_was_stored_under_former_names() -> None:
    registry = Registry()
    registry.register(formerly=["Thing", "Object"])(Item)
    for name in (b"Item", b"Thing", b"Object"):
        assert codec.decode(b'{"$data":["%b",{"name":"sword"}]}' % name, registry=registry) == Item("sword")
    assert codec.encode(Item(1), registry=registry).startswith(b'{"$data":["Item"')
    with pytest.raises(StorageError, match="'Thing' already belongs to"):
        registry.register(theirs.View, formerly=["Thing"])
    assert registry.class_of("View") is None

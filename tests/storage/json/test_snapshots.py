"""Snapshot files: written, read, edited by hand, and damaged. Every byte of them is tried in tests/crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from storage import JSONDatabase
from storage.errors import StorageError
from storage.json.reformatted import read_reformatted
from storage.json.salvage import salvage
from storage.json.snapshots import Snapshot, read, render

DOMAIN = "service_1.channel_x.bars"
VALUES = {"ann": b"80", "$x": b'"$"', "": b"{}", 'quote " and \\': b'{"a b":[1,2.5,null]}', "\ud800": b"1", "line\nbreak": b'"\\n"', "é🎲": b"true"}


def text_of(values: dict[str, bytes], sequence: int = 17, domain: str = DOMAIN) -> bytes:
    return b"".join(render(domain, sequence, values))


def plain(snapshot: Snapshot | None) -> dict[str, bytes]:
    assert snapshot is not None
    return {key: bytes(value) for key, value in snapshot.values.items()}


@pytest.mark.parametrize("values", [{}, VALUES, {f"key{number}": b"%d" % number for number in range(2000)}])
def test_what_is_written_is_read_in_the_same_order(values: dict[str, bytes]) -> None:
    snapshot = read(text_of(values), DOMAIN)
    assert snapshot is not None
    assert list(plain(snapshot).items()) == list(values.items())
    assert (snapshot.sequence, snapshot.faults) == (17, [])


def test_the_file_is_json_with_one_line_for_each_key() -> None:
    text = text_of(VALUES)
    document = json.loads(text)
    assert document["$mooring"]["keys"] == len(VALUES)
    assert document["ann"] == 80
    assert text.count(b"\n") == len(VALUES) + 4


def test_a_file_of_another_domain_gives_nothing_and_says_whose_it_is() -> None:
    for text in (text_of(VALUES), text_of(VALUES)[:-1]):
        snapshot = read(text, "service_1.channel_y.bars") or salvage(text, "service_1.channel_y.bars")
        assert snapshot.values == {}
        assert DOMAIN in snapshot.faults[0].reason


def edited(text: bytes) -> bytes:
    lines = text.split(b"\n")
    lines[1] = lines[1][: lines[1].index(b',"crc"')] + b"},"
    return b"\n".join(lines)


def test_a_person_may_edit_a_file_after_taking_the_checksum_out() -> None:
    text = edited(text_of({"ann": b"80", "bob": b"1"})).replace(b'"ann": 80', b'"ann": { "hp" : [81,\n 82] },\r\n"new": 1e400')
    snapshot = read(text, DOMAIN)
    assert plain(snapshot) == {"ann": b'{"hp":[81,82]}', "new": b"1e400", "bob": b"1"}
    assert snapshot is not None
    assert snapshot.sequence == 17


def test_a_person_may_take_the_checksums_of_the_lines_out_and_lay_out_the_rest_anew() -> None:
    document = json.loads(edited(text_of(VALUES)))
    del document["$checks"]
    text = b"\xef\xbb\xbf" + json.dumps(document, indent=4).encode()
    assert json.loads(b"[" + b",".join(plain(read(text, DOMAIN)).values()) + b"]") == [json.loads(value) for value in VALUES.values()]


def test_a_file_of_a_later_format_is_refused() -> None:
    text = edited(text_of(VALUES)).replace(b'{"format":1', b'{"format":2')
    with pytest.raises(StorageError, match="format 2"):
        read(text, DOMAIN)


def test_damage_is_noticed() -> None:
    text = text_of(VALUES)
    for at in range(len(text)):
        assert read(text[:at] + bytes([text[at] ^ 4]) + text[at + 1 :], DOMAIN) is None


@pytest.mark.parametrize("data", [b"", b"{", b"\n\n\n", b"\0" * 5000, b"[1,2]", b'{"ann": 80}', b'"' * 3000, b"{\n" * 3000])
def test_files_that_are_nothing_of_ours_give_a_fault(data: bytes) -> None:
    assert read(data, DOMAIN) is None
    assert salvage(data, DOMAIN).faults


def test_lost_keys_are_named_and_counted() -> None:
    text = text_of({"ann": b"80", "bob": b'{"hp":3}', "cid": b"1"})
    snapshot = salvage(text.replace(b'"hp":3', b'"hp":4').replace(b"cid", b"cxd"), DOMAIN)
    assert plain(snapshot) == {"ann": b"80"}
    assert [fault.key for fault in snapshot.faults] == ["bob", "cxd", None]
    assert text.index(b'"bob"') == snapshot.faults[0].offset
    assert snapshot.faults[2].reason.startswith("2 keys are missing or damaged")


def test_two_damages_cost_two_keys_and_keep_the_line_between_them() -> None:
    text = text_of({"ann": b"80", "bob": b"1", "cid": b"2"})
    damaged = text.replace(b"80,\n", b"8??").replace(b'"cid": 2', b'"cid": 3')
    assert plain(salvage(damaged, DOMAIN)) == {"bob": b"1"}


REFORMATTED: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "both": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
    "no line break at the end": lambda text: text.rstrip(b"\n"),
    "more line breaks at the end": lambda text: text + b"\n\n",
    "blanks at the ends of lines": lambda text: text.replace(b"\n", b" \t\n"),
    "indentation": lambda text: json.dumps(json.loads(text), indent=4, ensure_ascii=False).encode("utf-8", "surrogatepass"),
    "one line": lambda text: json.dumps(json.loads(text)).encode(),
    "escapes": lambda text: json.dumps(json.loads(text), indent=2).encode(),
}


@pytest.mark.parametrize("how", REFORMATTED)
def test_what_an_editor_has_only_laid_out_anew_loses_nothing(how: str) -> None:
    values = {key: value for key, value in VALUES.items() if "\ud800" not in key}
    reformatted = read_reformatted(REFORMATTED[how](text_of(values)), DOMAIN)
    assert plain(reformatted) == values
    assert reformatted is not None
    assert reformatted.sequence == 17
    [fault] = reformatted.faults
    assert (fault.key, fault.reason) == (None, "something else has laid out the file anew; every key is as it was written")


@pytest.mark.parametrize("how", ["CRLF", "indentation", "escapes"])
def test_of_what_was_laid_out_anew_only_other_values_are_lost(how: str) -> None:
    text = REFORMATTED[how](text_of({"ann": b"80", "bob": b'{"hp":3}', "cid": b"1"}).replace(b'"ann": 80', b'"ann": 81'))
    reformatted = read_reformatted(text, DOMAIN)
    assert plain(reformatted) == {"bob": b'{"hp":3}', "cid": b"1"}
    assert reformatted is not None
    assert [(fault.key, fault.reason) for fault in reformatted.faults] == [("ann", "does not match its checksum")]


@pytest.mark.parametrize(
    "change", [(b"$checks", b"$checkz"), (b'"sequence":17', b'"sequence":18'), (DOMAIN.encode(), b"service_1.channel_y.bars"), (b"}", b"]")]
)
def test_without_header_and_checksums_it_is_no_such_file(change: tuple[bytes, bytes]) -> None:
    assert read_reformatted(text_of(VALUES).replace(*change), DOMAIN) is None


def test_a_file_that_an_editor_has_saved_anew_loses_nothing_at_the_next_opening(tmp_path: Path) -> None:
    with closing(JSONDatabase(DOMAIN, root_dir=str(tmp_path))) as database:
        for number in range(20):
            database.set_value(f"key {number}", {"n": number, "text": "\u00e9\n"})
    [file] = tmp_path.rglob("bars.json")
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    with closing(JSONDatabase(DOMAIN, root_dir=str(tmp_path))) as database:
        assert {key: database.get_value(key) for key in database.all_keys()} == {
            f"key {number}": (True, {"n": number, "text": "\u00e9\n"}) for number in range(20)
        }
        [finding] = database.report
        assert "laid out the file anew" in finding.reason
    assert b"\r" not in file.read_bytes()


def test_of_a_file_that_is_laid_out_as_ever_the_place_of_the_damage_is_told(tmp_path: Path) -> None:
    with closing(JSONDatabase(DOMAIN, root_dir=str(tmp_path))) as database:
        for name in ("ann", "bob"):
            database.set_value(name, 80)
    [file] = tmp_path.rglob("bars.json")
    text = file.read_bytes().replace(b'"bob": 80', b'"bob": 81')
    file.write_bytes(text)
    at = text.index(b'"bob"')
    with closing(JSONDatabase(DOMAIN, root_dir=str(tmp_path))) as database:
        assert database.get_value("ann") == (True, 80)
        assert [finding.where for finding in database.report if finding.key == "bob"] == [f"{file}:{at}"]

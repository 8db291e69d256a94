"""What the TorBox benchmark compares does the same everywhere, or its figures mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.torbox import make_record
from benchmarks.torbox_contenders import Contender, installed


@pytest.mark.parametrize("make", installed(), ids=lambda contender: contender.name)
def test_every_contender_finds_what_it_was_given(make: type[Contender], tmp_path: Path) -> None:
    contender = make()
    contender.open(tmp_path)
    contender.insert_multiple([make_record(number) for number in range(20)])
    contender.insert(make_record(20))
    assert contender.all() == [make_record(number) for number in range(21)]
    assert contender.search_title("Some Film Number 7") == [make_record(7)]
    assert contender.search_file(2, 3) == [make_record(13)]
    contender.close()

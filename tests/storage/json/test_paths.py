from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.json.paths import snapshot_path

ROOT = Path("/root_dir")


def test_plain_names_are_kept() -> None:
    assert snapshot_path(ROOT, "service_1.channel_the-tavern.health_bars") == ROOT / "service_1/channel_the-tavern/health_bars.json"


@pytest.mark.parametrize(
    "domain",
    [
        "", ".", "..", "...", "../x", "a/b", "/etc/passwd", "C:\\x", "CON", "con", "com1.x", "Tavern", "a.journal", "journal.x", "quarantine",
        "cleared.a", "x" * 300, "é", "e\u0301", "🎲", "\0", "a\nb", "\ud800", "a" * 81, "~", "a~b", "x." * 400, ".owner", "a.json", "b.tmp", " a",
    ],
)  # fmt: skip
def test_hostile_domains_stay_inside_and_name_an_ordinary_file(domain: str) -> None:
    path = snapshot_path(ROOT, domain)
    assert path.is_relative_to(ROOT)
    assert ".." not in path.parts
    assert path.suffix == ".json"
    assert path.parts[2] not in {"journal", "quarantine", "cleared", ".owner"}
    for part in path.parts[2:]:
        assert part.isascii()
        assert part.isprintable()
        assert len(part) <= 90
        assert part.split(".")[0] not in {"con", "com1", ""}
    assert len(str(path)) < 2000


@given(st.lists(st.text(max_size=12) | st.sampled_from(["CON", "con", "a.b", "A.b", "", ".", "journal.a"]), min_size=2, max_size=2, unique=True))
def test_different_domains_have_different_files_even_where_case_does_not_count(domains: list[str]) -> None:
    first, second = (str(snapshot_path(ROOT, domain)).casefold() for domain in domains)
    assert first != second

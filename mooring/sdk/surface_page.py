"""The part of docs/moobius.md that is made from the table: `python -m mooring.sdk.surface_page docs/moobius.md` writes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mooring.sdk.surface import SURFACES, Surface

BEGIN, END = "<!-- the table: made by mooring.sdk.surface_page -->", "<!-- the end of the table -->"


def table() -> str:
    """All tables, in Markdown."""
    return "\n\n".join("\n".join(_lines(surface)) for surface in SURFACES)


def with_table(page: str) -> str:
    """The page with the tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _lines(surface: Surface) -> Iterator[str]:
    yield f"### `{surface.owner}`: {surface.found_as if ' ' in surface.found_as else f'`{surface.found_as}`'}"
    yield ""
    same = [f"`{name}`" for name, remark in surface.here.items() if name and not remark]
    if same:
        yield f"There, as in the SDK: {', '.join(same)}."
        yield ""
    rest = [
        *_rows("there", {name: remark for name, remark in surface.here.items() if remark}),
        *_rows("does nothing", surface.nothing),
        *_rows("not there", surface.missing),
    ]
    if rest:
        yield "| | | |"
        yield "|---|---|---|"
        yield from rest


def _rows(state: str, names: Mapping[str, str]) -> Iterator[str]:
    """One row for all names with the same remark."""
    together: dict[str, list[str]] = {}
    for name, remark in names.items():
        together.setdefault(remark, []).append(f"`{name}`" if name else "all")
    for remark, listed in together.items():
        yield f"| {', '.join(listed)} | {state} | {remark} |"


def main() -> None:
    """Write the tables into the named page."""
    page = Path(sys.argv[1])
    page.write_text(with_table(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()

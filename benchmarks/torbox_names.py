"""How well release names are read, beside other readers of such names, on a list that was answered by hand.

    python benchmarks/torbox_names.py            the rates of all, and the time for each name
    python benchmarks/torbox_names.py --faults   and what Mooring reads wrongly

A name is wrong if its title, type, season, episodes or year is. Titles are compared by their letters and digits alone, and `~` stands
between those that are right. `*` means that people would not agree. The others get what they read filled up as Mooring does it: an
episode without a season is of the first one. Needs the `bench` extra.
"""

from __future__ import annotations

import csv
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = Path(__file__).resolve().parent.parent / "tests" / "plugins" / "torbox" / "release_names.tsv"

Reader = Callable[[str, str], dict[str, Any]]
"""Gets the names of a file and of its folder, which may be empty; gives title, type, season, episode and year."""


@dataclass(frozen=True)
class AnsweredName:
    """One line of the list."""

    file: str
    folder: str
    title: str
    type: str
    season: str
    episode: str
    year: str

    def faults(self, said: dict[str, Any]) -> list[str]:
        """What of an answer is wrong."""
        wrong = [] if folded(said["title"] or "") in map(folded, self.title.split("~")) else ["title"]
        wrong += [] if said["type"] == self.type else ["type"]
        for field, right in (("season", self.season), ("episode", self.episode), ("year", self.year)):
            if right != "*" and numbers(said[field]) != [int(number) for number in right.split(",") if number]:
                wrong.append(field)
        return wrong


def answered_names() -> list[AnsweredName]:
    with NAMES.open(encoding="utf-8", newline="") as file:
        return [AnsweredName(**row) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]


def folded(title: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKC", title).casefold() if letter.isalnum())


def numbers(value: Any) -> list[int]:
    return [] if value is None else sorted(value) if isinstance(value, list | tuple) else [value]


def mooring(file: str, folder: str) -> dict[str, Any]:
    from mooring.plugins.torbox.release_names import read_release_name

    said = read_release_name(file, folder or Path(file).stem)
    return {"title": said.title, "type": said.media_type, "season": said.season, "episode": said.episode, "year": said.year}


def guessit(file: str, folder: str) -> dict[str, Any]:
    from guessit import guessit as guess

    said = guess(f"{folder}/{file}" if folder else file)
    title, day, season, episode = said.get("title"), said.get("date"), said.get("season"), said.get("episode")
    return {
        "title": title[0] if isinstance(title, list) else title,
        "type": "series" if said.get("type") == "episode" else "movie",
        "season": 1 if season is None and episode is not None else season,
        "episode": episode,
        "year": said.get("year") or (day.year if day else None),
    }


def rank_torrent_name(file: str, folder: str) -> dict[str, Any]:
    from RTN import parse

    own, outer = parse(file), parse(folder or file)
    seasons = own.seasons or outer.seasons or ([1] if own.episodes else [])
    title = own.parsed_title if any(map(str.isalpha, own.parsed_title)) else outer.parsed_title or own.parsed_title
    year = own.year or outer.year or (int(own.date[:4]) if own.date else None)
    kind = "series" if seasons or own.episodes or own.date else "movie"
    return {"title": title, "type": kind, "season": seasons, "episode": own.episodes, "year": year}


def parse_torrent_title(file: str, folder: str) -> dict[str, Any]:
    from PTN import parse

    own, outer = parse(file), parse(folder or file)
    episode = own.get("episode")
    season = own.get("season", outer.get("season", 1 if episode else None))
    kind = "movie" if season is None and episode is None else "series"
    year = own.get("year", outer.get("year"))
    return {"title": own.get("title") or outer.get("title"), "type": kind, "season": season, "episode": episode, "year": year}


READERS: dict[str, Reader] = {
    "Mooring": mooring,
    "guessit": guessit,
    "rank-torrent-name": rank_torrent_name,
    "parse-torrent-title": parse_torrent_title,
}


def measure(names: list[AnsweredName], read: Reader) -> tuple[list[tuple[AnsweredName, list[str]]], float]:
    """The names that are read wrongly with what is wrong, and the milliseconds of processor time for one."""
    read("Warm.Up.2020.mkv", "")
    began = time.process_time()
    answers = [read(name.file, name.folder) for name in names]
    spent = time.process_time() - began
    wrong = [(name, faults) for name, said in zip(names, answers, strict=True) if (faults := name.faults(said))]
    return wrong, spent / len(names) * 1000


def report() -> Iterator[str]:
    """A line for each reader that is installed."""
    names = answered_names()
    yield f"{len(names)} release names, answered by hand"
    for label, read in READERS.items():
        try:
            wrong, spent = measure(names, read)
        except ImportError:
            yield f"  {label:<20} is not installed"
            continue
        yield f"  {label:<20} {len(wrong):>4} wrong ({len(wrong) / len(names):5.1%}), {spent:6.2f} ms a name"


def main(faults: bool = False) -> None:
    """Print the rates."""
    for line in report():
        print(line)
    if faults:
        for name, wrong in measure(answered_names(), mooring)[0]:
            print(f"  {', '.join(wrong)}: {name.file} | {name.folder} -> {mooring(name.file, name.folder)}")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    import typer

    typer.run(main)

"""`/torbox ...`: what the cache holds. Commands that change it are in `changing_commands`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field

from mooring import CommandError, Context, MessageBody, Rest, command, table
from mooring.plugins.torbox.account import Account
from mooring.plugins.torbox.formatting import age_text, describe, parse_file_id, records_table, size_text
from mooring.plugins.torbox.records import KINDS, Kind
from mooring.plugins.torbox.refresh import generation_of, size_of
from mooring.plugins.torbox.search import by_title, find_file, find_item, ranked_search
from mooring.plugins.torbox.table import JournalDB
from storage import StorageError

T = TypeVar("T")

FileId = Annotated[str, Field(description="as /torbox list shows it")]


@command("torbox list", example="/torbox list torrents 2")
def torbox_list(ctx: Context[Account], kind: Kind | None = None, page: Annotated[int, Field(ge=1, le=1_000_000)] = 1) -> None:
    """List the files, sorted by title, a page at a time."""
    account = ctx.state
    records = by_title(record for each in _chosen(kind) for record in read(account, each, _contents))
    _show_page(ctx, records, page, f"{kind or 'all kinds'}")


@command("torbox search", example="/torbox search matrix 1999")
def torbox_search(ctx: Context[Account], words: Rest) -> None:
    """Find files in which all the words occur, in any field; the best come first."""
    account = ctx.state
    if not words.strip():
        raise CommandError("Which words? Example: /torbox search matrix 1999")
    ranked = sorted((hit for kind in KINDS for hit in read(account, kind, lambda database: ranked_search(database, words))), key=lambda hit: hit[0])
    if not ranked:
        say(ctx, "No file has all of these words.")
        return
    shown = [record for _, record in ranked[: ctx.state.config.page_size]]
    say(ctx, records_table(shown, f"{_count(len(ranked))}{_rest_hint(len(ranked), len(shown))}"))


@command("torbox info", example="/torbox info torrents/12/0")
def torbox_info(ctx: Context[Account], id: FileId) -> None:  # noqa: A002 - the argument's name is what /help shows
    """Show everything about one file, or list the files of one download."""
    records = records_of(ctx.state, id)
    say(ctx, describe(records[0]) if len(records) == 1 else records_table(records[: ctx.state.config.page_size], _count(len(records))))


@command("torbox stats", example="/torbox stats")
def torbox_stats(ctx: Context[Account]) -> None:
    """Show how many files there are, how large they are, and how old the lists are."""
    account = ctx.state
    rows = [_stats_row(account, kind) for kind in KINDS]
    say(ctx, table(("Kind", "Files", "Size", "Generation", "Age", "Last refresh failed"), rows, title="The TorBox cache"))
    for finding in account.pool.findings:
        if finding.kept is not None:
            say(ctx, f"{finding.domain}: {finding.reason}. What was there is kept in {finding.kept}.")


def say(ctx: Context[Account], message: MessageBody | str) -> None:
    """Reply, unless the key is in it."""
    account = ctx.state
    account.key.secrets.check(message if isinstance(message, str) else repr(message), "The reply")
    ctx.reply(message)


def read(account: Account, kind: Kind, work: Callable[[JournalDB], T]) -> T:
    """Look into a database; its faults are told as they are. Blocks."""
    try:
        return account.pool.use(kind, work)
    except (StorageError, OSError) as error:
        raise CommandError(f"The cache of {kind} cannot be used: {error}") from error


def records_of(account: Account, text: str) -> list[dict[str, Any]]:
    """The files that an id means, at least one. Raises CommandError. Blocks."""
    kinds, item_id, file_id = parse_file_id(text)
    found = [record for kind in kinds for record in read(account, kind, _finder(item_id, file_id))]
    if not found:
        raise CommandError(f"There is no file {text.strip()} in the cache. /torbox list and /torbox search show the ids.")
    return found


def _finder(item_id: int, file_id: int | None) -> Callable[[JournalDB], Iterable[dict[str, Any]]]:
    if file_id is None:
        return lambda database: find_item(database, item_id)
    return lambda database: [record for record in [find_file(database, item_id, file_id)] if record is not None]


def _contents(database: JournalDB) -> list[dict[str, Any]]:
    """The documents themselves, to be read only: a list of a hundred thousand is not copied for one page of it."""
    return list(database.store.documents(database.default_table_name).values())


def _chosen(kind: Kind | None) -> Sequence[Kind]:
    return KINDS if kind is None else (kind,)


def _show_page(ctx: Context[Account], records: Sequence[dict[str, Any]], page: int, what: str) -> None:
    if not records:
        say(ctx, f"There are no files of {what} yet. /torbox sync fetches them.")
        return
    size = ctx.state.config.page_size
    pages = -(-len(records) // size)
    if page > pages:
        raise CommandError(f"There is no page {page} of {what}: the last one is {pages}.")
    title = f"{_count(len(records))} of {what}, page {page} of {pages}"
    say(ctx, records_table(records[(page - 1) * size : page * size], title))


def _stats_row(account: Account, kind: Kind) -> tuple[str, ...]:
    records, generation = read(account, kind, lambda database: (_contents(database), generation_of(database)))
    failure = account.failures.get(kind)
    return (
        kind,
        str(len(records)),
        size_text(sum(map(size_of, records))),
        str(generation.number) if generation else "–",
        age_text(account.age(generation)),
        failure.reason if failure else "–",
    )


def _count(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _rest_hint(found: int, shown: int) -> str:
    return f", the best {shown} of them; more words narrow it down" if found > shown else ""

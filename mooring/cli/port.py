"""`mooring port`: a bot of the Moobius SDK becomes one of Mooring's."""

from __future__ import annotations

import difflib
import io
import shutil
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from mooring.cli.options import FAILED, FAULTY_CONFIG
from mooring.sdk.porting import Ported, port


def add_port(app: typer.Typer) -> None:
    """Let the command line port bots."""

    @app.command("port")
    def port_files(
        files: Annotated[list[Path], typer.Argument(help="Python files, or folders of them.")],
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    ) -> None:
        """Rewrite the imports of bots written for the Moobius SDK, and say what that alone does not do.

        The exit code is 1 if something is left for you to do, and 2 if a file could not be read.
        """
        codes = {_port(file, dry_run=dry_run) for file in _python_files(files)}
        if codes - {0}:
            raise typer.Exit(max(codes))


def _python_files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.rglob("*.py")) if place.is_dir() else [place]


def _port(file: Path, *, dry_run: bool) -> int:
    try:
        encoding, before = _read(file)
        ported = port(before)
    except (OSError, SyntaxError, ValueError) as error:  # a ValueError for a null byte, a SyntaxError also for an unknown encoding
        typer.echo(f"{file}: is as it was, since it cannot be read: {error}", err=True)
        return FAULTY_CONFIG
    if dry_run:
        typer.echo("".join(_diff(file, before, ported.text)), nl=False)
    elif ported.changes:
        try:
            _replace(file.resolve(), ported.text.encode(encoding))
        except OSError as error:
            typer.echo(f"{file}: is as it was, since it cannot be written: {error}", err=True)
            return FAULTY_CONFIG
    _tell(file, ported, dry_run=dry_run)
    return FAILED if any(remark.is_open for remark in ported.remarks) else 0


def _tell(file: Path, ported: Ported, *, dry_run: bool) -> None:
    done = "would be rewritten" if dry_run else "rewritten"
    if ported.changes:
        typer.echo(f"{file}: {ported.changes} {'import' if ported.changes == 1 else 'imports'} {done}")
    elif not ported.remarks:
        typer.echo(f"{file}: imports nothing of the SDK")
    for remark in ported.remarks:
        typer.echo(f"{file}:{remark.line}: {'' if remark.is_open else 'note: '}{remark.text}")


def _read(file: Path) -> tuple[str, str]:
    """The encoding that the file declares, and its text with its own line ends."""
    content = file.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return encoding, content.decode(encoding)


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.ported")
    try:
        draft.write_bytes(content)
        shutil.copymode(file, draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _diff(file: Path, before: str, after: str) -> Iterator[str]:
    return difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), str(file), f"{file} (ported)")

"""`mooring audit`, a command of the plugin moderation, with a service that runs, and with none."""

from __future__ import annotations

from pathlib import Path

from tests.mooring.cli.test_channels import mooring
from tests.process_for_tests import member, start, write_configs


async def audit(folder: Path, *line: str) -> tuple[int, list[list[str]]]:
    code, said = await mooring(folder, "audit", *line)
    return code, [row.split("  ") for row in said.splitlines()]


async def test_what_those_in_charge_have_done_is_read_while_the_service_runs_and_when_not(tmp_path: Path) -> None:
    options = write_configs(tmp_path, plugins=["help", "moderation", "web"])
    assert await audit(tmp_path, "tavern") == (0, [["Nothing was done so far."]])
    code, said = await mooring(tmp_path, "token", "create", "mo", "--role", "moderator")
    token = said.splitlines()[-1]
    assert code == 0
    process = await start(tmp_path, *options)
    assert await audit(tmp_path, "tavern") == (0, [["Nothing was done so far."]])
    async with member(process.address, "tavern", name="ann"), member(process.address, "tavern", token=token) as mo:
        await mo.say("/warn @ann mind your words")
        await mo.say("/kick @ann too loud")
    for is_up in (True, False):
        code, rows = await audit(tmp_path, "tavern")
        assert (code, [row[1:] for row in rows]) == (0, [["mo", "kick", "ann", "too loud"], ["mo", "warn", "ann", "mind your words"]]), rows
        assert len((await audit(tmp_path, "tavern", "--count", "1"))[1]) == 1
        code, rows = await audit(tmp_path, "tavrn")
        assert (code, rows) == (1, [["There is no channel tavrn here. Did you mean tavern?"]])
        if is_up:
            assert (await process.end())[0] == 0

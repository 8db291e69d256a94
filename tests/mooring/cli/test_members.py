"""`mooring member ...`, with a service that runs, and with none."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mooring.cli.test_channels import mooring
from tests.process_for_tests import member, start, write_configs


async def roles(folder: Path, channel: str = "tavern") -> dict[str, str]:
    code, said = await mooring(folder, "member", "list", channel, "--json")
    assert code == 0, said
    return {line["name"]: line["role"] for line in json.loads(said)}


async def test_roles_are_given_by_the_operator_while_the_service_runs_and_when_not(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    async with member(process.address, "tavern", name="ann") as ann, member(process.address, "tavern", name="bob"):
        assert await roles(tmp_path) == {"ann": "member", "bob": "member"}
        code, said = await mooring(tmp_path, "member", "role", "tavern", "@ann", "owner")
        assert (code, "ann" in said and "has the role owner in tavern now" in said) == (0, True), said
        assert (await ann.say("/schedules", "tavern"))["body"]["ok"], "what is for moderators"
        code, said = await mooring(tmp_path, "member", "role", "tavern", "anne", "owner")
        assert (code, said.strip()) == (1, "Nobody in tavern is called anne. Did you mean ann?")
        code, said = await mooring(tmp_path, "member", "role", "tavern", "ann", "king")
        assert (code, "king" in said) == (1, True), said
        code, said = await mooring(tmp_path, "member", "list", "nowhere")
        assert (code, "nowhere" in said) == (1, True), said
    assert (await process.end())[0] == 0
    assert await roles(tmp_path) == {"ann": "owner", "bob": "member"}
    code, said = await mooring(tmp_path, "member", "role", "tavern", "bob", "moderator")
    assert code == 0, said
    code, said = await mooring(tmp_path, "member", "list", "nowhere")
    assert (code, said.strip()) == (1, "There is no channel nowhere here.")
    process = await start(tmp_path, *options)
    assert await roles(tmp_path) == {"ann": "owner", "bob": "moderator"}
    assert (await process.end())[0] == 0

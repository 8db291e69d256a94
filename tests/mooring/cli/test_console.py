"""`mooring console`: the operator's commands, in the order of the channel and in its audit."""

from __future__ import annotations

from pathlib import Path

from tests.mooring.cli.test_channels import mooring
from tests.process_for_tests import asked, member, start, write_configs


async def test_commands_are_run_in_the_channel_and_are_in_the_audit(tmp_path: Path) -> None:
    options = write_configs(tmp_path, plugins=["help", "bars", "moderation", "web"])
    process = await start(tmp_path, *options)
    async with member(process.address, "tavern", name="ann") as ann:
        code, said = await mooring(tmp_path, "console", "tavern", "/role @ann moderator", "/no-such-command")
        assert (code, "ann" in said, "no-such-command" in said) == (1, True, True), said
        assert (await ann.say("/schedules"))["body"]["ok"], "what is for moderators"
        roles = {line["name"]: line["role"] for line in (await asked(tmp_path, "member list", channel_id="tavern")).result}
        assert roles == {"ann": "moderator"}, "the operator has left"
        kept = (await asked(tmp_path, "store read", channel_id="tavern", name="moderation.audit")).result
        [entry] = kept.values()
        assert (entry["by"], entry["what"], entry["whom"]) == ("operator", "role moderator", "ann")

        ran = (await asked(tmp_path, "console run", channel_id="tavern", line="/audit 5")).result
        assert ran["ok"]
        assert "operator" in "".join(ran["replies"])
        assert not [text for text in ann.texts() if "role moderator" in text], "the answer is for the operator alone"
        for line, why in (("hello", "begin with /"), ("", "begin with /")):
            assert why in (await asked(tmp_path, "console run", channel_id="tavern", line=line)).message
        assert "Did you mean tavern?" in (await asked(tmp_path, "console run", channel_id="tavrn", line="/help")).message
        assert (await asked(tmp_path, "console leave", channel_id="tavern")).ok
    code, log = await process.end()
    assert (code, "the operator runs /role in channel tavern" in log) == (0, True)

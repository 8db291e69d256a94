"""`mooring port`: imports are rewritten where they stand, and what that does not do is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mooring import ChannelService
from mooring.cli.main import build_app
from mooring.sdk.porting import port

BOT = '''#!/usr/bin/env python
# A bot.
from moobius import Moobius, MoobiusStorage, MoobiusWand   # all three
import moobius.types as types, json
from moobius.types import (
    Button,   # the button
    MessageBody as Body,
)


class Bot(Moobius):
    async def on_message_up(self, message):
        """From moobius import nothing."""
        await self.send_message('moobius', message.channel_id, message.sender, [message.sender])


if __name__ == "__main__":
    MoobiusWand().run(Bot, config='config/config.json')
'''
PORTED = (
    BOT.replace("from moobius import Moobius,", "from mooring import Moobius,")
    .replace("import moobius.types as", "import mooring.types as")
    .replace("from moobius.types import", "from mooring.types import")
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import moobius\nmoobius.Moobius", "import mooring as moobius\nmoobius.Moobius"),
        ("import os, moobius as m, moobius.types", "import os, mooring as m, mooring as moobius"),
        ("from moobius import json_utils, types", "from mooring import json_utils, types"),
        ("from moobius.types import *", "from mooring.types import *"),
        ("from moobius.core.sdk import Moobius", "from mooring import Moobius"),
        ("from moobius.core.wand import MoobiusWand", "from mooring import MoobiusWand"),
        ("from moobius.database.storage import CachedDict, MoobiusStorage", "from storage import CachedDict, MoobiusStorage"),
        ("from moobius.database.json_database import JSONDatabase", "from storage import JSONDatabase"),
        ("if True:\n    import moobius.json_utils as j", "if True:\n    import mooring.sdk.json_utils as j"),
        ("x = 'ä€🐉'; import moobius  # é", "x = 'ä€🐉'; import mooring as moobius  # é"),
        ("\x0cfrom \\\n  moobius import (types)", "\x0cfrom \\\n  mooring import (types)"),
        ("a = '\x0b\x1c\u2028'\r\nfrom moobius import types\r\n", "a = '\x0b\x1c\u2028'\r\nfrom mooring import types\r\n"),
        *((same, same) for same in ("import moobius_tools", "from .moobius import x", "from . import moobius", "'from moobius import Moobius'")),
    ],
)
def test_imports(before: str, after: str) -> None:
    ported = port(before)
    assert (ported.text, ported.remarks) == (after, ())
    assert port(ported.text).text == after


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("from moobius.network.ws_client import WSClient", 1, "moobius.network.ws_client has no counterpart"),
        ("import moobius.network.http_api_wrapper as w", 1, "has no counterpart"),
        ("import moobius.database.storage", 1, "import what you need of it from storage"),
        ("from moobius import quickstart", 1, "mooring has no quickstart"),
        ("from moobius.types import Button, S3BUCKET", 1, "mooring.types has no S3BUCKET: a store of the platform's"),
        ("from moobius . types import Button", 1, "without spaces"),
        ("from moobius.types import *\n\n@dataclass\nclass A: pass", 3, "dataclass came in by"),
        ("import moobius\nclass B(moobius.Moobius):\n    def f(self):\n        self.send_refresh('a')", 4, "send_refresh is not there"),
        ("import moobius\nasync def f(self):\n    await self.http_api.delete_account()", 3, "delete_account is not there"),
        ("import moobius\nasync def f(self):\n    json.dumps(self.channels[c].stats, indent=2)", 3, "write self.channels[c].stats.copy()"),
        ("import moobius\nasync def f(self):\n    isinstance(self.channels[c].stats, dict)", 3, "ask for collections.abc.Mapping"),
        ("import importlib\nimportlib.import_module('moobius.types')\nimport moobius", 2, "which only you can rename"),
    ],
)
def test_what_is_left_to_do(source: str, line: int, said: str) -> None:
    [remark] = [each for each in port(source).remarks if each.is_open]
    assert remark.line == line
    assert said in remark.text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from moobius import Moobius\nclass B(Moobius):\n    async def on_update(self, u): pass", "on_update is never called here"),
        ("from moobius import Moobius\nasync def f(self):\n    await self.authenticate()", "authenticate does nothing here"),
        ("from loguru import logger\nfrom moobius import Moobius", "pip install loguru"),
    ],
)
def test_what_only_has_to_be_known(source: str, said: str) -> None:
    [remark] = port(source).remarks
    assert said in remark.text
    assert not remark.is_open


def mooring(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(ChannelService), list(map(str, arguments)))


def test_files_keep_their_form(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_bytes(b"\xef\xbb\xbf" + BOT.replace("\n", "\r\n").encode())
    file.chmod(0o750)
    done = mooring("port", file)
    assert (done.exit_code, done.stdout) == (0, f"{file}: 3 imports rewritten\n")
    assert file.read_bytes() == b"\xef\xbb\xbf" + PORTED.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o750
    assert os.listdir(tmp_path) == ["service.py"]


def test_other_encodings_stay(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nname = 'Grüße'\nimport moobius\n".encode("latin-1"))
    assert mooring("port", file).exit_code == 0
    assert file.read_bytes() == "# -*- coding: latin-1 -*-\nname = 'Grüße'\nimport mooring as moobius\n".encode("latin-1")


def test_a_dry_run_shows_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "service.py"
    file.write_text(BOT)
    done = mooring("port", "--dry-run", file)
    assert done.exit_code == 0
    assert "-from moobius import Moobius, MoobiusStorage, MoobiusWand   # all three\n" in done.stdout
    assert "+from mooring import Moobius, MoobiusStorage, MoobiusWand   # all three\n" in done.stdout
    assert f"{file}: 3 imports would be rewritten" in done.stdout
    assert file.read_text() == BOT


def test_exit_codes(tmp_path: Path) -> None:
    good, rest, bad = tmp_path / "good.py", tmp_path / "sub" / "rest.py", tmp_path / "bad.py"
    rest.parent.mkdir()
    good.write_text(BOT)
    rest.write_text("from moobius import quickstart\n")
    bad.write_text("def (:\n")
    assert mooring("port", rest.parent).exit_code == 1
    done = mooring("port", good, bad, tmp_path / "nowhere.py")
    assert done.exit_code == 2
    assert good.read_text() == PORTED
    assert bad.read_text() == "def (:\n"
    assert f"{bad}: is as it was" in done.stderr
    assert f"{tmp_path / 'nowhere.py'}: is as it was" in done.stderr
    assert mooring("port", good).stdout == f"{good}: imports nothing of the SDK\n"

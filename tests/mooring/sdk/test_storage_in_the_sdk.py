"""In a bot of the real SDK, `from storage import MoobiusStorage` takes the place of the SDK's, without our service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

BOT = Path(__file__).with_name("bots") / "in_the_sdk.py"


def run(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(BOT), *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_keeps_what_the_sdk_would_keep(tmp_path: Path) -> None:
    first = run(tmp_path, "ann:str", "ann:str", "bob:str", "ann:in place", "bob:keep")
    assert (first["class"], first["mooring"], first["report"]) == ("storage.moobius_storage", [], [])
    ann, bob = {"str": 13, "log": ["str", "str"]}, {"str": 2, "log": ["str"]}
    assert first["texts"][3] == f"{[('ann', ann), ('bob', bob)]} None"
    button = "moobius.Button(button_id=b, button_text=B, dialog=moobius.Dialog(components=[moobius.InputComponent(label=l, type=text)]))"
    assert first["texts"][4].endswith(f"[{button}]")
    assert first["people"]["ann"].startswith("moobius.Character(character_id=ann, name=Ann")

    second = run(tmp_path, "ann:pop", "ann:pop", "bob:in place")
    assert second["texts"] == [f"{[('bob', bob)]} [{button}]"] * 2 + [f"{[('bob', {**bob, 'str': 12})]} [{button}]"]
    assert second["people"] == first["people"]
    kept = (tmp_path / "db" / "service_sdk-service" / "channel_3f1c0b9e-6a52" / "stats.json").read_text()
    assert '"bob": {"str":12,"log":["str"]},' in kept

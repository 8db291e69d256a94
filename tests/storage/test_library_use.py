"""Storage alone, in processes of its own: no service, and an end by close(), by `with`, at exit, or by none of these."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storage.moobius_storage import MoobiusStorage

ROOT = Path(__file__).parents[2]
OPENING = """
from storage import MoobiusStorage
s = MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": {"root_dir": %r}})
"""
CHANGES = """
s.bars["ann"] = {"items": []}
s.bars["ann"]["items"].append("sword")
with s.transaction():
    s.bars["bob"] = 2
"""
EXPECTED = {"ann": {"items": ["sword"]}, "bob": 2}


def run(code: str, *, status: int = 0) -> str:
    process = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == status, process.stderr
    if status == 0:
        assert process.stderr == ""
    return process.stdout


def content(folder: Path) -> dict[str, object]:
    with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": {"root_dir": str(folder)}}) as storage:
        return storage.bars.copy()


def opening(folder: Path) -> str:
    return OPENING % str(folder)


@pytest.mark.parametrize(
    "code",
    [
        CHANGES + "s.close()",
        "with s:" + CHANGES.replace("\n", "\n    "),
        CHANGES,
        CHANGES + "del s",
        "def work(s):" + CHANGES.replace("\n", "\n    ") + "\nwork(s); del s\nimport gc; gc.collect()",
        CHANGES + "bars = s.bars; del s; bars['ann']",
        CHANGES + "import sys; sys.exit(0)",
        "import threading\ndef work():" + CHANGES.replace("\n", "\n    ") + "\nthreading.Thread(target=work).start()",
        "import asyncio\nasync def work():\n  async with s.transaction():\n    s.bars['bob'] = 2\n"
        "asyncio.run(work())\ns.bars.update(ann={'items': []})\ns.bars['ann']['items'].append('sword')",
    ],
    ids=["close", "with", "exit", "dropped", "collected", "only the dict is held", "sys.exit", "thread", "asyncio"],
)
def test_every_way_to_end_leaves_the_snapshot_alone(tmp_path: Path, code: str) -> None:
    run(opening(tmp_path) + code)
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "retained"]
    assert files == ["service_1/channel_tavern/bars.json"]
    assert content(tmp_path) == EXPECTED


def test_an_unhandled_exception_ends_well(tmp_path: Path) -> None:
    run(opening(tmp_path) + CHANGES + "1 / 0", status=1)
    assert content(tmp_path) == EXPECTED
    assert not (tmp_path / "journal").exists()


def test_without_any_end_commits_are_there(tmp_path: Path) -> None:
    run(opening(tmp_path) + CHANGES + "import os; os._exit(3)", status=3)
    assert content(tmp_path) == {"ann": {"items": []}, "bob": 2}


def test_an_open_transaction_is_dropped_at_exit(tmp_path: Path) -> None:
    open_transaction = "t = s.transaction(); t.__enter__(); s.bars['cid'] = 3\n"
    code = CHANGES + "import threading, time\ndef work():\n    global t\n    " + open_transaction.replace("\n", "\n    ")
    code += "time.sleep(60)\nthreading.Thread(target=work, daemon=True).start()\nwhile s.bars._state.scope is None: time.sleep(0.01)\n"
    process = subprocess.run([sys.executable, "-c", opening(tmp_path) + code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 0
    assert "open transaction" in process.stderr
    assert content(tmp_path)["bob"] == 2
    assert "cid" not in content(tmp_path)


def test_a_forked_child_leaves_the_parent_alone(tmp_path: Path) -> None:
    code = CHANGES + "import os, sys\nif os.fork() == 0: sys.exit(0)\nos.wait()\ns.bars['cid'] = 3\n"
    run(opening(tmp_path) + code)
    assert content(tmp_path) == {**EXPECTED, "cid": 3}


def test_many_threads_of_a_program_without_a_loop(tmp_path: Path) -> None:
    code = """
import threading
def work(name):
    for number in range(100):
        with s.transaction():
            s.bars["n"] = s.bars.get("n", 0) + 1
        s.bars[f"{name}{number}"] = number
threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    run(opening(tmp_path) + code)
    after = content(tmp_path)
    assert after.pop("n") == 400
    assert after == {f"{name}{number}": number for name in "abcd" for number in range(100)}


def test_only_the_engines_that_are_used_are_imported(tmp_path: Path) -> None:
    code = "import sys, json; print(json.dumps([name for name in sys.modules if name.startswith(('redis', 'storage.'))]))"
    modules = set(json.loads(run(opening(tmp_path) + code)))
    assert "storage.json.database" in modules
    assert not {"redis", "storage.redis.database", "storage.null.database"} & modules
    assert "storage.json.database" not in json.loads(run("import storage\n" + code))

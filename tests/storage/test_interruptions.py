"""Signal handlers and forked children that use the storage of the code that they interrupt, in real processes: nothing hangs."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage import MoobiusStorage

ROOT = Path(__file__).parents[2]
PATIENCE = 60

HEAD = """
import os, signal, sys, threading, time
from contextlib import suppress
from storage import MoobiusStorage, StorageError

config = [{"implementation": "json", "name": name, "settings": {"root_dir": sys.argv[1]}} for name in ("gold", "notes")]
storage = MoobiusStorage("1", "tavern", config)
storage.gold["n"] = 0
storage.notes["log"] = []
told = 0
"""

HANDLERS = {
    "closes and exits": "def handle(*_):\n    storage.close()\n    sys.exit(0)\n",
    "closes": "def handle(*_):\n    storage.close()\n",
    "closes a dict": "def handle(*_):\n    storage.gold.close()\n    storage.close()\n    sys.exit(0)\n",
    "reads and writes": (
        "def handle(*_):\n    with suppress(StorageError):\n        len(storage.notes['log'])\n        storage.notes['seen'] = storage.gold['n']\n"
        "    with suppress(StorageError):\n        with storage.transaction():\n            storage.gold['x'] = 1\n    sys.exit(0)\n"
    ),
}

WORK = {
    "single writes": "storage.gold['n'] = n",
    "transactions": "with storage.transaction():\n            storage.gold['n'] = n\n            storage.notes['log'].append(n)",
    "reads": "storage.gold['n'] = n\n        storage.notes['log'] = [n]\n        storage.notes['log'].append(1); storage.notes.values()",
    "updates": "storage.gold.update(n=n, m=-n)",
    "overlapping": ("with storage.transaction(overlap=True) as t:\n            storage.gold['n'] = n\n        t.outcome.wait()"),
}


def script(handler: str, work: str) -> str:
    loop = f"""
signal.signal(signal.SIGTERM, handle)
print("ready", flush=True)
try:
    for n in range(1, 1 << 40):
        {work}
        told = n
except StorageError as error:
    print("error", type(error).__name__, flush=True)
finally:
    os.write(1, b"told %d\\n" % told)
"""
    return HEAD + HANDLERS[handler] + loop


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_signal_handler_may_use_the_storage(tmp_path: Path, handler: str, work: str) -> None:
    command = [sys.executable, "-c", script(handler, WORK[work]), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.01, 0.05))
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the process hangs")
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert [line for line in lines if line.startswith("error")] in ([], ["error StoreClosed"], ["error StorageBusy"]), out
    told = int(lines[-1].partition(" ")[2])
    with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "gold", "settings": {"root_dir": str(tmp_path)}}) as storage:
        assert storage.gold["n"] >= told


FORKS = """
def busy():
    n = 0
    while not done:
        n += 1
        storage.gold["n"] = n
        with storage.transaction(overlap=True):
            storage.gold["m"] = n
done = False
thread = threading.Thread(target=busy)
thread.start()
uses = [
    lambda: storage.gold.__setitem__("child", 1),
    lambda: storage.gold.update(child=1),
    lambda: storage.transaction().__enter__(),
    lambda: storage.transaction(overlap=True).__enter__(),
    lambda: storage.commit(),
    lambda: storage.close(),
    lambda: storage.gold.database.set_value("child", 1)[0] and 1 / 0,
]
hung = []
for number in range(6 * len(uses)):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child if it hangs
        code = 1
        try:
            uses[number % len(uses)]()
            code = 0 if number % len(uses) in (2, 3, 4, 5, 6) else 2  # those that need not write may succeed
        except StorageError:
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if status != 0:
        hung.append((number % len(uses), status))
done = True
thread.join()
storage.close()
print(hung)
"""


def test_a_forked_child_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", HEAD + FORKS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "[]\n", done.stderr
    with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "gold", "settings": {"root_dir": str(tmp_path)}}) as storage:
        assert "child" not in storage.gold

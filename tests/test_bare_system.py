"""Library and service on a system without `fcntl` and without signal handlers of event loops, as Windows is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

HIDE = """
import sys
sys.modules["fcntl"] = None
import asyncio, os, signal
for name in ("add_signal_handler", "remove_signal_handler"):
    delattr(asyncio.SelectorEventLoop, name)  # and what is left raises NotImplementedError
ENTRY = {"implementation": "json", "name": "bars", "settings": {"root_dir": sys.argv[1]}}
"""

LIBRARY = """
from storage import MoobiusStorage
storage = MoobiusStorage("1", "tavern", ENTRY)
storage.bars["ann"] = storage.bars.get("ann", 0) + 80
print(storage.bars["ann"], os.getpid(), flush=True)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
if "wait" in sys.argv:
    sys.stdin.read()
storage.close()
"""

SERVICE = """
from mooring import ChannelService
service = ChannelService(service_config={"channels": ["tavern"]}, db_config=[ENTRY])
asyncio.run(service.run(lambda: os.kill(os.getpid(), signal.SIGTERM)))
print("stopped", service.channels)
"""


def command(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", HIDE + script, *map(str, arguments)]


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(script, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_library_keeps_its_data_and_refuses_a_second_process(tmp_path: Path) -> None:
    assert run(LIBRARY, tmp_path).stdout.startswith("80 ")
    with subprocess.Popen(command(LIBRARY, tmp_path, "wait"), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == f"160 {owner.pid}\n"
        assert f"in use by process {owner.pid}" in run(LIBRARY, tmp_path).stderr
        owner.communicate("")


def test_a_folder_is_free_again_after_a_kill(tmp_path: Path) -> None:
    assert run(LIBRARY, tmp_path, "die").returncode < 0
    assert run(LIBRARY, tmp_path).stdout.startswith("160 ")


def test_the_service_runs_and_stops_on_a_signal(tmp_path: Path) -> None:
    done = run(SERVICE, tmp_path)
    assert (done.returncode, done.stdout) == (0, "stopped {}\n"), done.stderr

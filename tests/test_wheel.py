"""What pip builds from this tree, installed where the tree is not: the first steps, and projects with files called as ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from mooring.version import __version__
from tests.process_for_tests import Process, launch, member

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
SOURCES = ("storage", "mooring", "plugins", "service.py", "pyproject.toml", "README.md", "LICENSE")
OUR_NAMES = ("service", "plugins", "tests", "benchmarks", "storage", "mooring")

PROJECT = {
    "service.py": '''
from mooring import MessageBody, Moobius, MoobiusStorage, SimpleAction, run_command_line
from plugins import GREETING

class Host(Moobius):
    async def on_channel_init(self, channel_id: str) -> None:
        self.channels[channel_id] = MoobiusStorage(self.service_id, channel_id, self.config["db_config"])

    async def on_join(self, action: SimpleAction) -> None:
        await super().on_join(action)
        await self.send_message(GREETING, action.channel_id)

    async def on_message_up(self, message: MessageBody) -> None:
        storage: MoobiusStorage = self.channels[message.channel_id]
        count: int = storage.health_bars.get("messages", 0) + 1
        storage.health_bars["messages"] = count
        await super().on_message_up(message)

if __name__ == "__main__":
    run_command_line(Host)
''',
    "main.py": '''
import service
from mooring import run_command_line

if __name__ == "__main__":
    run_command_line(service.Host)
''',
    "plugins/__init__.py": 'GREETING = "Good morning."\n',
    "plugins/echo.py": '''
from mooring import Context, Rest, command
from plugins import GREETING

@command
async def echo(ctx: Context, text: Rest) -> str:
    """Say it again."""
    return f"{GREETING} {text}"
''',
    "config/service.json": '{"channels": ["tavern"], "plugins": ["echo", "bars", "web"], "plugin_folders": ["plugins"]}',
}
WRONG = '''
from mooring import Moobius

class Wrong(Moobius):
    async def on_join(self, action: int) -> None: ...
    async def on_start(self) -> None:
        await self.send_message(self.channels[1], nobody="x")
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since a build leaves a folder behind from which the next one takes what is no longer in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    pip("wheel", "--no-deps", "--wheel-dir", str(folder / "built"), str(folder))
    [built] = (folder / "built").iterdir()
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a clean environment that has the wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(folder, symlinks=True)  # without a pip of its own, which takes longer than all else
    install = ("--python", str(folder / "bin" / "python"), "install")
    pip(*install, "--require-hashes", "--requirement", str(ROOT / "requirements" / "run.txt"))
    pip(*install, "--no-index", str(wheel))  # all that it asks for is there
    return folder / "bin"


def pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(folder: Path, *command: str | Path) -> str:
    """What a command prints; `folder` is all that it has of files and variables."""
    clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fetch(process: Process, path: str) -> tuple[int, str]:
    with urllib.request.urlopen(process.address + path, timeout=10) as answer:
        return answer.status, answer.read().decode()


@pytest.fixture
def project(tmp_path: Path, bin_folder: Path) -> Path:
    """A folder with a service, plugins and a config of its own."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert "config/service.json: was there already" in run(tmp_path, bin_folder / "mooring", "init")
    return tmp_path


def test_the_wheel_has_two_names_at_its_top_and_all_that_they_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("mooring/application.py") == (ROOT / "service.py").read_bytes()
    assert {name.partition("/")[0] for name in names} == {"storage", "mooring", f"mooring-{__version__}.dist-info"}
    kept = {path.relative_to(ROOT).as_posix() for folder in ("storage", "mooring") for path in (ROOT / folder).rglob("*.py")}
    plugins = [path for path in (ROOT / "plugins").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    kept |= {"mooring/" + path.relative_to(ROOT).as_posix() for path in plugins}
    kept |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "storage").rglob("*.lua")}
    assert kept | {"storage/py.typed", "mooring/py.typed"} == {name for name in names if ".dist-info/" not in name}
    assert "mooring/plugins/web/page/index.html" in names


def test_nothing_of_the_tree_is_in_the_way(tmp_path: Path, bin_folder: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {OUR_NAMES} if u.find_spec(name)])"
    assert run(tmp_path, bin_folder / "python", "-c", code) == "['storage', 'mooring']\n"


async def test_the_first_steps_lead_to_a_page(tmp_path: Path, bin_folder: Path) -> None:
    assert run(tmp_path, bin_folder / "mooring", "--version") == f"mooring {__version__}\n"
    assert "mooring run" in run(tmp_path, bin_folder / "mooring", "init")
    assert "token" in run(tmp_path, bin_folder / "mooring", "--help")
    process = await launch(tmp_path, [str(bin_folder / "mooring"), "run"])
    assert process.line.startswith("Mooring is at http://127.0.0.1:"), await process.end(0)
    status, page = fetch(process, "")
    assert (status, "<title>" in page) == (200, True)
    for path in re.findall(r'(?:src|href)="/?([^":#]+)"', page):
        assert fetch(process, path)[0] == 200
    assert fetch(process, "readyz")[0] == 200
    async with member(process.address, name="ann") as ann:
        await ann.say("/hit @ann 5")
        assert any("ann" in text for text in ann.texts())
    assert (await process.end())[0] == 0


@pytest.mark.parametrize("program", ["service.py", "main.py"])
async def test_a_project_with_names_like_ours_runs_beside_it(project: Path, bin_folder: Path, program: str) -> None:
    process = await launch(project, [str(bin_folder / "python"), program])
    assert process.line.startswith("Mooring is at http://127.0.0.1:"), await process.end(0)
    async with member(process.address, name="ann") as ann:
        assert (await ann.say("/echo once more"))["body"]["ok"]
        assert [text for text in ann.texts() if text.startswith("Good")] == ["Good morning.", "Good morning. once more"]
    assert (await process.end())[0] == 0
    assert '"messages": 1' in "".join(path.read_text() for path in project.rglob("health_bars.json"))


def test_its_classes_are_typed(project: Path, bin_folder: Path) -> None:
    (project / "wrong.py").write_text(WRONG)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(bin_folder / "python"), "--cache-dir", str(project / "cache")]
    files = [name for name in PROJECT if name.endswith(".py")]
    done = subprocess.run([*mypy, *files, "wrong.py"], cwd=project, capture_output=True, text=True, check=False)
    places = re.findall(r"^(\S+\.py):(\d+): error", done.stdout, re.MULTILINE)
    assert {(file, int(line)) for file, line in places} == {("wrong.py", 5), ("wrong.py", 7)}, done.stdout + done.stderr

"""The files of requirements: every one has hashes, they are of the versions that the constraints name, and nothing is missing in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETS = {"run": ["redis"], "test": ["redis", "matrix", "test"]}


def locked(name: str) -> dict[str, str]:
    """The versions in a file of requirements; each has to have a hash."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            match = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==(\S+)( ;.*?)?\s+--hash=sha256:[0-9a-f]{64}", line)
            assert match, line
            found[normal(match[1])] = match[2]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["run", "fast", "test", "synapse"])
def test_hashed_requirements_are_what_the_constraints_say(name: str) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    pinned = {normal(each.partition("==")[0]): each.partition("==")[2] for each in lines}
    assert locked(name).items() - {("setuptools", locked(name).get("setuptools"))} <= pinned.items(), "run: make lock"


@pytest.mark.parametrize("name", SETS)
def test_nothing_that_the_project_asks_for_is_missing(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    asked += [each for extra in SETS[name] for each in project["project"]["optional-dependencies"][extra]]
    names = {normal(re.match(r"[\w.-]+", each)[0]) for each in asked}  # type: ignore[index]
    assert names <= locked(name).keys(), "run: make lock"

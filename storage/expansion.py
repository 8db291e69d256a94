"""Paths in configs: `~`, `$NAME` and `${NAME}` stand for what they do in a shell."""

from __future__ import annotations

import os
import re

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)


class UnknownVariable(ValueError):
    """A path names an environment variable that is not set."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"names the environment variable {variable}, which is not set")
        self.variable = variable


def expand(path: str) -> str:
    """The path with `~` and variables replaced. Raises UnknownVariable: unlike a shell's empty text, that names no other folder."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in os.environ:
            raise UnknownVariable(name)
        return os.environ[name]

    return _VARIABLE.sub(value, os.path.expanduser(path))  # noqa: PTH111 - of a text that need be no path yet

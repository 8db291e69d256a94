"""Fields of configs that name files and folders, in which `~` and environment variables stand for what they do in a shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from storage.expansion import expand

PathText = Annotated[str, AfterValidator(expand)]


def _expanded(value: Any) -> Any:
    return expand(value) if isinstance(value, str) else value


ConfigPath = Annotated[Path, BeforeValidator(_expanded)]
"""For the `Config` of a plugin; a variable that is not set is a fault of the config."""

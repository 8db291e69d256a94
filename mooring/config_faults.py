"""What pydantic finds in a config, in the words of config faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from storage.errors import Fault
from storage.json_words import EXPECTED, quoted
from storage.nearest_word import nearest_word

SECRET_FIELD = re.compile(r"password|secret|token|api_?key", re.IGNORECASE)
"""What is in the names of fields whose values are never shown."""


def faults_of(error: ValidationError, file: str, model: type[BaseModel]) -> Iterator[Fault]:
    """A ValidationError in the words of config faults, with the nearest field for an unknown one."""
    for detail in error.errors(include_url=False):
        *entry, field = [str(part) for part in detail["loc"]] or [""]
        expected = EXPECTED.get(detail["type"])
        shown = "the value" if SECRET_FIELD.search(field) else quoted(detail["input"])
        problem, remedy = detail["msg"].removeprefix("Value error, "), f"got {shown}"
        if expected is not None:
            problem, remedy = f"{shown} does not fit", f"expected {expected}"
        elif detail["type"] == "extra_forbidden":
            names = list(_model_at(model, detail["loc"][:-1]).model_fields)
            match = nearest_word(field, names)
            problem, remedy = "unknown field", f"did you mean {match}?" if match else f"known are {', '.join(names)}"
        elif detail["type"] == "missing":
            problem, remedy = "is missing", "add it"
        yield Fault(file, ".".join(entry), field, problem, remedy)


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that the fields at `location` belong to."""
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:  # a place in a list, or a name in a dict
            continue
        model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)

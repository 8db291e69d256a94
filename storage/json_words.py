"""Values and types of JSON in the words of those who write configs, who need not know Python's."""

from __future__ import annotations

import json
from typing import Any

_LONGEST_QUOTE = 60

EXPECTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "dict_type": "an object in braces",
    "model_type": "an object in braces",
    "model_attributes_type": "an object in braces",
    "list_type": "a list in brackets",
    "path_type": "the name of a file or folder in quotes",
}
"""What belongs there, by pydantic's types of errors."""


def quoted(value: Any) -> str:
    """The value as it stands in a file, shortened."""
    try:
        shown = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        shown = f"a value of type {type(value).__name__}"
    return shown if len(shown) <= _LONGEST_QUOTE else shown[: _LONGEST_QUOTE - 1] + "…"

"""Between the objects that a store's model describes and the plain values that dicts keep."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from storage.encoding.texts import SCALARS

_KEPT_AS_THEY_ARE = (bytes, datetime, date, time, timedelta, Decimal, UUID)
"""What dicts keep besides JSON and msgspec would turn into text."""


class Form(Protocol):
    """Both raise ValueError, with what does not fit in words."""

    def read(self, plain: Any) -> Any:
        """The object."""

    def write(self, value: Any) -> Any:
        """The plain value, from which `read` makes an equal object."""


def form_of(model: Any) -> Form:
    """The form of what `model` describes: any type that pydantic knows, dataclasses and its own models among them, or a msgspec Struct."""
    if model in SCALARS:
        return _ScalarForm(model)
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        return _StructForm(model)
    return _PydanticForm(model)


class _ScalarForm:
    """One of the types that dicts keep as they are and whose values nobody can change in place."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def read(self, plain: Any) -> Any:
        if type(plain) is self._kind:
            return plain
        if self._kind is float and type(plain) is int:
            return float(plain)
        raise ValueError(f"a {self._kind.__name__} was expected, not a {type(plain).__name__}")

    write = read


class _PydanticForm:
    def __init__(self, model: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(model)

    def read(self, plain: Any) -> Any:
        try:
            return self._adapter.validate_python(plain)
        except ValidationError as error:
            raise ValueError(_in_words(error)) from error

    def write(self, value: Any) -> Any:
        try:
            self._adapter.validate_python(value, strict=True)
            plain = self._adapter.dump_python(value, warnings="error")
            self._adapter.validate_python(plain)  # fields that were set since are not looked at before
        except ValidationError as error:
            raise ValueError(_in_words(error)) from error
        except PydanticSerializationError as error:
            raise ValueError(str(error)) from error
        return plain


class _StructForm:
    def __init__(self, model: type[msgspec.Struct]) -> None:
        self._model = model

    def read(self, plain: Any) -> Any:
        try:
            return msgspec.convert(plain, self._model, builtin_types=_KEPT_AS_THEY_ARE)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    def write(self, value: Any) -> Any:
        if not isinstance(value, self._model):
            raise ValueError(f"a {self._model.__name__} was expected, not a {type(value).__name__}")  # noqa: TRY004 - as the other forms say it
        try:
            plain = msgspec.to_builtins(value, builtin_types=_KEPT_AS_THEY_ARE)
        except TypeError as error:
            raise ValueError(str(error)) from error
        self.read(plain)
        return plain


def _in_words(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    path = "".join(f"[{part!r}]" for part in detail["loc"])
    return f"{path}: {detail['msg']}".removeprefix(": ")

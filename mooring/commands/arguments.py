"""A command's arguments, made from the annotations of its function."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from mooring.commands.converters import Converter, converter_for
from mooring.errors import PluginError

MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class RestOfLine:
    """Marks the argument that takes all that is left of the line, as it was typed."""


Rest = Annotated[str, RestOfLine()]
"""Annotation of the last argument if it is free text: `/say` with `text: Rest` gets `Hello, all` whole."""


@dataclass(frozen=True)
class ChoicesFrom:
    """Limits a `str` argument to words that the plugin's config holds: `Annotated[str, ChoicesFrom(lambda config: config.spells)]`."""

    words: Callable[[Any], Iterable[str]]


@dataclass(frozen=True)
class Argument:
    """One argument of a command, as help, completion and the parser see it.

    `kind` is text, integer, number, boolean, choice, member, duration or rest; `expects` says in words what is valid.
    """

    name: str
    kind: str
    required: bool
    choices: tuple[str, ...]
    help: str
    repeated: bool
    rest: bool
    expects: str
    default: Any
    converter: Converter
    variadic: bool = False
    """True for `*names`: the function takes the values one by one instead of as a list."""

    @property
    def usage(self) -> str:
        """How it stands in the usage line: `target`, `[page]`, `words...`."""
        shown = self.name + ("..." if self.repeated or self.rest else "")
        return shown if self.required else f"[{shown}]"


def arguments_of(function: Callable[..., Any], config: Any) -> tuple[Argument, ...]:
    """The arguments of a handler: all its parameters but the first, which is the Context.

    Raises PluginError if an annotation cannot be read from text, or if the order makes no sense.
    """
    hints = _hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise PluginError(f"{function.__name__} has no parameters; the first one must be the Context")
    arguments = tuple(_argument(parameter, hints, config) for parameter in parameters[1:])
    _check_order(arguments)
    return arguments


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise PluginError(f"{function.__name__}: the annotation {error.name} is not known in its module; import it outside TYPE_CHECKING") from error


def _argument(parameter: inspect.Parameter, hints: dict[str, Any], config: Any) -> Argument:
    if parameter.kind in {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}:
        raise PluginError(f"argument {parameter.name}: a line has no keywords; make it positional, or use Rest for the rest of the line")
    base, metadata, optional = _peel(hints.get(parameter.name, str))
    variadic = parameter.kind is inspect.Parameter.VAR_POSITIONAL
    repeated = variadic or get_origin(base) is list
    if repeated and not variadic:
        base, inner, _ = _peel(get_args(base)[0])
        metadata = [*inner, *metadata]
    has_default = parameter.default is not MISSING
    required = not (has_default or optional or variadic)
    rest = any(isinstance(item, RestOfLine) for item in metadata)
    try:
        converter = converter_for(base, metadata, _choices(metadata, config))
    except TypeError as error:
        raise PluginError(f"argument {parameter.name}: {error}") from error
    return Argument(
        name=parameter.name,
        kind="rest" if rest else converter.kind,
        required=required,
        choices=converter.choices,
        help=_description(metadata),
        repeated=repeated,
        rest=rest,
        expects=converter.expects,
        default=parameter.default if has_default else ([] if repeated else None),
        converter=converter,
        variadic=variadic,
    )


def _peel(annotation: Any) -> tuple[Any, list[Any], bool]:
    """The type below Annotated and `| None`, all metadata on the way, and whether None was among it."""
    metadata: list[Any] = []
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            metadata = [*more, *metadata]
        elif origin in {Union, types.UnionType} and type(None) in get_args(annotation):
            others = [part for part in get_args(annotation) if part is not type(None)]
            annotation = others[0] if len(others) == 1 else Union[tuple(others)]  # noqa: UP007 - built from parts
            optional = True
        else:
            return annotation, metadata, optional


def _choices(metadata: Sequence[Any], config: Any) -> tuple[str, ...]:
    return tuple(word for item in metadata if isinstance(item, ChoicesFrom) for word in item.words(config))


def _description(metadata: Sequence[Any]) -> str:
    return next((item.description for item in metadata if isinstance(item, FieldInfo) and item.description), "")


def _check_order(arguments: Sequence[Argument]) -> None:
    for argument in arguments[:-1]:
        if argument.rest or argument.repeated:
            raise PluginError(f"argument {argument.name} takes all that follows, so it must be the last one")

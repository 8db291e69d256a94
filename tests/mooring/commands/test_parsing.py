"""Lines become values, or one clear line."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from mooring import ChoicesFrom, CommandError, Context, Member, PluginError, Rest
from mooring.commands.command import CommandTable, command, commands_of
from mooring.commands.parsing import parse
from mooring.commands.people import Channel
from mooring.commands.tokens import mention, next_token, quote
from mooring.events import Character


class Colour(Enum):
    RED = 1
    BLUE = 2


PEOPLE = ["ann", "Bob", "Ann Lee", 'say "hi"', "Zoë", "back\\slash", "two  spaces", "@sign", "😀"]
CHANNEL = Channel("tavern", "Tavern", {str(number): Character(str(number), name) for number, name in enumerate(PEOPLE)})


def values(function: Any, arguments: str, config: Any = None) -> list[Any]:
    """What a handler would be called with."""
    table = CommandTable(commands_of("test", [command("do", example="/do it")(function)], config))
    return parse(table.resolve(f"/do {arguments}"), CHANNEL)


def refusal(function: Any, arguments: str, config: Any = None) -> str:
    with pytest.raises(CommandError) as caught:
        values(function, arguments, config)
    return str(caught.value)


def test_plain_types() -> None:
    async def do(ctx: Context, text: str, count: int, share: float, sure: bool, wait: timedelta) -> None: ...

    assert values(do, "hello -3 2.5 yes 1h30m") == ["hello", -3, 2.5, True, timedelta(minutes=90)]
    assert values(do, '"hello there" 0 .5 OFF 90s') == ["hello there", 0, 0.5, False, timedelta(seconds=90)]


def test_unannotated_arguments_are_text() -> None:
    def do(ctx, name): ...  # type: ignore[no-untyped-def]

    assert values(do, "20") == ["20"]


def test_choices() -> None:
    async def do(ctx: Context, kind: Literal["torrents", "usenet"], colour: Colour) -> None: ...

    assert values(do, "Usenet red") == ["usenet", Colour.RED]
    assert refusal(do, "usnet red") == "kind: usnet is not torrents or usenet. Did you mean usenet? Usage: /do kind colour. Example: /do it"
    assert "colour: green is not red or blue." in refusal(do, "usenet green")


def test_choices_from_the_config() -> None:
    async def do(ctx: Context, spell: Annotated[str, ChoicesFrom(lambda config: config["spells"])]) -> None: ...

    assert values(do, "MEND", {"spells": {"mend": 1}}) == ["mend"]
    assert "spell: fireball is not mend." in refusal(do, "fireball", {"spells": {"mend": 1}})


def test_what_pydantic_knows() -> None:
    async def do(ctx: Context, price: Decimal, day: date) -> None: ...

    assert values(do, "1.50 2024-02-29") == [Decimal("1.50"), date(2024, 2, 29)]
    assert "day: 2023-02-29 is not a date." in refusal(do, "1 2023-02-29")


@pytest.mark.parametrize("typed", ["0", "101", "-1", "1.5", "1_0", "٢٠", "２０", "1e2", "0x10", "9" * 5000, "NaN", '""', "²", "+-1", "１"])
def test_constrained_numbers_refuse(typed: str) -> None:
    async def do(ctx: Context, amount: Annotated[int, Field(ge=1, le=100)]) -> None: ...

    message = refusal(do, typed)
    assert "is not a whole number from 1 to 100." in message
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize("typed", ["nan", "inf", "-inf", "1e999", "1,5", "--1", "٠.٥"])
def test_numbers_are_finite(typed: str) -> None:
    async def do(ctx: Context, share: float) -> None: ...

    assert "is not a number" in refusal(do, typed)


@pytest.mark.parametrize("typed", ["5", "-5m", "m", "1h 30", "10y", "99999999w"])
def test_durations_refuse(typed: str) -> None:
    async def do(ctx: Context, wait: timedelta) -> None: ...

    assert "wait:" in refusal(do, typed) or "does not take so much" in refusal(do, typed)


def test_bounds_of_durations_are_told() -> None:
    async def do(ctx: Context, wait: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(hours=36))]) -> None: ...

    assert values(do, "1d") == [timedelta(days=1)]
    assert "from 1m to 1d12h" in refusal(do, "30s")


def test_members() -> None:
    async def do(ctx: Context, target: Member, amount: int = 1) -> None: ...

    def name(arguments: str) -> Any:
        target, amount = values(do, arguments)
        return target.name, amount

    assert name("@ann 20") == ("ann", 20)
    assert name("ANN") == ("ann", 1)
    assert name("@bob 2") == ("Bob", 2)
    assert name("@zoë") == ("Zoë", 1)
    assert name('@"Ann Lee" 3') == ("Ann Lee", 3)
    assert name("@“ann lee” 3") == ("Ann Lee", 3)
    assert refusal(do, "@anm 3").startswith("Nobody here is called anm. Did you mean @ann?")
    assert "target is missing; it must be the @name of a member." in refusal(do, "")


def test_a_name_of_two_words_needs_quotes_only_beside_a_shorter_one() -> None:
    async def do(ctx: Context, target: Member, amount: int = 1) -> None: ...

    alone = Channel("t", "T", {"1": Character("1", "Ann Lee"), "2": Character("2", "Bob Two Three")})
    table = CommandTable(commands_of("test", [command("do")(do)], None))
    assert [str(value) for value in parse(table.resolve("/do @ann  lee 20"), alone)] == ["Ann Lee", "20"]
    assert [str(value) for value in parse(table.resolve("/do bob two three"), alone)] == ["Bob Two Three", "1"]
    assert refusal(do, "@ann Lee 20").startswith("amount: Lee is not a whole number.")


@pytest.mark.parametrize("name", PEOPLE)
def test_every_name_can_be_mentioned(name: str) -> None:
    async def do(ctx: Context, target: Member, amount: int) -> None: ...

    assert values(do, f"{mention(name)} 7")[0].name == name


def test_optional_arguments_may_be_left_out_from_the_left() -> None:
    async def do(ctx: Context, kind: Literal["torrents", "usenet"] | None = None, page: int = 1) -> None: ...

    assert values(do, "") == [None, 1]
    assert values(do, "usenet") == ["usenet", 1]
    assert values(do, "2") == [None, 2]
    assert values(do, "usenet 2") == ["usenet", 2]
    assert refusal(do, "torents").startswith("kind: torents is not torrents or usenet. Did you mean torrents?")
    assert refusal(do, "usenet x").startswith("page: x is not a whole number.")


def test_the_rest_of_the_line() -> None:
    async def do(ctx: Context, target: Member, text: Rest = "nothing") -> None: ...

    assert values(do, '@ann  it\'s "so, so" good  ')[1] == 'it\'s "so, so" good'
    assert values(do, '@"Ann Lee" "open')[1] == '"open'
    assert values(do, "@ann")[1] == "nothing"


def test_a_required_rest() -> None:
    async def do(ctx: Context, words: Rest) -> None: ...

    assert refusal(do, "  ").startswith("words is missing; it must be a text. Usage: /do words...")


def test_repeated_arguments() -> None:
    async def some(ctx: Context, counts: list[int]) -> None: ...
    async def star(ctx: Context, word: str, *counts: int) -> None: ...

    assert values(some, "1 2 3") == [[1, 2, 3]]
    assert "counts is missing" in refusal(some, "")
    assert "counts: x is not a whole number." in refusal(some, "1 x")
    assert values(star, "a 1 2") == ["a", 1, 2]
    assert values(star, "a") == ["a"]


def test_too_much_and_too_little() -> None:
    async def do(ctx: Context, count: int) -> None: ...

    assert refusal(do, "1 2\n3").startswith("/do does not take so much: 2 3.")
    assert refusal(do, "").startswith("count is missing; it must be a whole number.")
    assert 'A quote (") is not closed' in refusal(do, '"1')


def test_signatures_that_no_line_could_fill_are_refused() -> None:
    def keyword(ctx: Context, *, name: str) -> None: ...
    def middle(ctx: Context, all_of_it: Rest, more: str) -> None: ...
    def strange(ctx: Context, thing: type[object] | Context) -> None: ...
    def nothing() -> None: ...

    refused: list[tuple[Any, str]] = [
        (keyword, "a line has no keywords"),
        (middle, "must be the last one"),
        (strange, "cannot be read"),
        (nothing, "must be the Context"),
    ]
    for function, words in refused:
        with pytest.raises(PluginError, match=words):
            commands_of("test", [command("do")(function)], None)


@given(st.text(max_size=60))
def test_any_line_is_read_or_refused_in_one_line(text: str) -> None:
    async def do(ctx: Context, target: Member, amount: Annotated[int, Field(ge=1)], *more: float) -> None: ...

    try:
        values(do, text)
    except CommandError as error:
        assert str(error).isprintable() or not text.isprintable()
        assert "\n" not in str(error)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_one_word_again(text: str) -> None:
    token = next_token(f"  {quote(text)} x", 0)
    assert token is not None
    assert token.text == text


def test_a_name_in_a_crowd_is_found_without_a_look_at_anybody_else() -> None:
    class Crowd(dict[str, Character]):
        def values(self) -> Any:
            raise AssertionError("everybody was looked at")

    crowd = Channel("c", "C", Crowd({"1": Character("1", "ann")}), {"ann": "1"}.get)
    assert crowd.find("@ann").id == "1"
    assert crowd.named("bob") is None

"""What numbers mean, and what is shown of buttons."""

from __future__ import annotations

from typing import Any

import pytest

from mooring import Button, ClickArgument, Clicked, Dialog, InputComponent
from mooring.plugins.matrix.choices import CHOICES, Panel, chosen, content_of_panel, panel_in, panel_of

ORDER = Button(
    "order", "Order\n@room", Dialog(components=[InputComponent("Drink", "text"), InputComponent("Size", "dropdown", choices=["Small", "Large"])])
)
BUTTONS = [Button("hit", "Hit"), ORDER]
PANEL = Panel("$1", ("hit", "order"))


def order(drink: str, size: str) -> Clicked:
    return Clicked("order", [ClickArgument("Drink", drink), ClickArgument("Size", size)])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", Clicked("hit")),
        (" 1 ", Clicked("hit")),
        ("1 and more", Clicked("hit")),
        ("2 tea; LARGE", order("tea", "Large")),
        ("2 tea;huge;x", order("tea", "huge;x")),
        ("2", order("", "")),
        ("0", None),
        ("3", None),
        ("100", None),
        ("1st", None),
        ("\u0661", Clicked("hit")),
        ("", None),
    ],
)
def test_what_a_number_means(text: str, meant: Clicked | None) -> None:
    assert chosen(text, PANEL, BUTTONS) == meant


def test_a_button_that_is_gone_meanwhile_is_still_the_one_that_was_meant() -> None:
    assert chosen("2 tea", PANEL, [Button("hit", "Hit"), Button("new", "New")]) == Clicked("order")


def test_a_panel_is_read_again_as_it_was_written_and_changed_in_place_while_its_numbers_stay() -> None:
    first, second = panel_of(BUTTONS, "!"), panel_of([Button("hit", "Hit (2)"), ORDER], "!")
    content = content_of_panel(first, Panel())
    shown = panel_in({"event_id": "$1", "content": content})
    assert shown == Panel("$1", first.ids, first.text)
    assert shown is not None
    changed = content_of_panel(second, shown)
    assert panel_in({"event_id": "$2", "content": changed}) == Panel("$1", second.ids, second.text)
    assert "m.relates_to" not in content_of_panel(panel_of(BUTTONS[:1], "!"), shown)


def test_very_many_buttons_and_long_texts_stay_one_message_of_one_line_each() -> None:
    panel = panel_of([Button(str(number), "x" * 1_000 + "\ny") for number in range(500)], "!")
    assert len(panel.ids) == len(panel.text.split("\n")) - 1 == 30
    assert len(panel.text) < 4_000
    assert panel_of([], "!") == Panel()


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, {"event_id": 7}])
def test_nothing_that_a_message_holds_stops_the_reading_of_choices(odd: Any) -> None:
    for content in (
        odd,
        {CHOICES: odd},
        {CHOICES: ["a"], "m.new_content": odd, "m.relates_to": odd},
        {CHOICES: ["a"], "m.new_content": {}, "m.relates_to": odd},
    ):
        panel = panel_in({"event_id": "$1", "content": content})
        assert panel is None or isinstance(panel.event_id, str)

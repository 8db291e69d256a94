"""What is taken from events, whatever is in them, and what is made of posts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from mooring import Left, Post, Said
from mooring.events import TEXT, MessageBody, MessageContent
from mooring.plugins.matrix.batches import Batch
from mooring.plugins.matrix.events import is_joining, named_in, seconds_of, what_happened
from mooring.plugins.matrix.posting import content_of

BOT, ANN = "@bot:example.org", "@ann:example.org"
ODD: list[Any] = [None, 7, 1e400, True, "", "x", [], ["m.text"], {}, {"m.text": {}}, "\ud800"]


def event(content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "m.room.message", "sender": ANN, "event_id": "$1", "content": content, "origin_server_ts": 1_000, **fields}


def said(text: str, **content: Any) -> dict[str, Any]:
    return event({"msgtype": "m.text", "body": text, **content})


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", ["m.room.message", "m.room.member"])
def test_nothing_that_an_event_can_hold_stops_the_reading(kind: str, odd: Any) -> None:
    content = {"msgtype": "m.text", "body": "x", "membership": "leave", "displayname": "x", "m.relates_to": {}}
    good = {**event(content), "type": kind, "state_key": ANN, "unsigned": {"prev_content": {"membership": "join"}}}
    assert what_happened(good, BOT) is not None
    inside = [{**good, "content": {**content, field: odd}} for field in content]
    inside.append({**good, "unsigned": {"prev_content": odd}})
    for given in (*({**good, field: odd} for field in good), *inside):
        found = what_happened(given, BOT)
        assert found is None or (isinstance(found[0], str) and isinstance(found[1], Said | Left))
        assert isinstance(seconds_of(given), float)
        assert is_joining(given, BOT) in {True, False}
        named_in(given)


def test_who_leaves_or_is_put_out_has_left_and_who_was_never_there_has_not() -> None:
    def gone(before: str, membership: str = "leave", user: str = ANN) -> Any:
        content = {"membership": membership}
        return what_happened(event(content, type="m.room.member", state_key=user, unsigned={"prev_content": {"membership": before}}), BOT)

    assert gone("join") == gone("join", "ban") == (ANN, Left())
    assert gone("invite") is gone("join", user=BOT) is gone("leave", "join") is None


def test_what_the_bot_itself_says_is_not_said_again() -> None:
    assert what_happened(said("hello") | {"sender": BOT}, BOT) is None
    assert what_happened(said("hello"), BOT) == (ANN, Said.text("hello"))
    other_bot = event(content_of(post("hello", "bob"), "key", nobody))
    assert what_happened(other_bot, BOT) is None, "two services in the same two rooms would pass it on for ever"


def nobody(name: str) -> None:
    """Mentions nobody."""


def post(text: str, sender: str = "", **fields: Any) -> Post:
    return Post("message", MessageBody(TEXT, "tavern", MessageContent(text=text)), sender, text=text, **fields)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<img src=x onerror=alert(1)> *a*", "&lt;img src=x onerror=alert(1)&gt; <em>a</em>"),
        ("one\n~~two~~\n\n- a\n- b", "one<br><del>two</del><ul><li>a</li><li>b</li></ul>"),
        ("3. a", '<ol start="3"><li>a</li></ol>'),
        ("```c++\na <b>\n```", '<pre><code class="language-c++">a &lt;b&gt;</code></pre>'),
        ("`</code><b>`", "<code>&lt;/code&gt;&lt;b&gt;</code>"),
        ("> so", "<blockquote>so</blockquote>"),
        ("[x](https://example.org/\"onclick=')", None),
        ("[x](javascript:alert(1)) **b**", "[x](javascript:alert(1)) <strong>b</strong>"),
        ("@ann and @nobody", '<a href="https://matrix.to/#/@ann:example.org">@ann</a> and @nobody'),
    ],
)
def test_markdown_is_html_with_nothing_in_it_that_was_not_meant(text: str, html: str | None) -> None:
    content = content_of(post(text), "key", {"ann": ANN}.get)
    assert content["body"] == text
    assert content["msgtype"] == "m.notice"
    if html is None:
        assert '"onclick' not in content.get("formatted_body", "")
    else:
        assert content["formatted_body"] == html


def test_a_name_stands_before_what_a_member_said() -> None:
    content = content_of(post("a < b", "bob"), "key", nobody)
    assert (content["msgtype"], content["body"], content["formatted_body"]) == ("m.text", "bob: a < b", "<strong>bob:</strong> a &lt; b")
    assert content_of(post("- a", "bob"), "key", nobody)["body"] == "bob:\n- a"
    assert content["m.mentions"] == {}


def test_only_what_is_an_event_is_answered() -> None:
    def answered(reply_to: str) -> Any:
        return content_of(post("x", reply_to=reply_to), "key", nobody).get("m.relates_to")

    assert answered("$abc") == {"m.in_reply_to": {"event_id": "$abc"}}
    assert answered("join $abc") is answered("") is None


def test_no_content_is_larger_than_an_event_may_be() -> None:
    for text in ('"' * 16_000, "&\n" * 2_000, "\\" * 16_000, "\n" * 16_000, "@ann " * 799):
        for given in (post(text, "bob"), replace(post(text, "bob"), kind="edit", earlier="$1")):
            assert len(msgspec.json.encode(content_of(given, "key", {"ann": ANN}.get))) < 60_000


def test_batches_that_wait_become_one_and_a_large_one_is_read_when_it_is_its_turn() -> None:
    few, more = (Batch(f"s{number}", f"s{number + 1}", (event({}),) * 150, is_whole=True) for number in range(2))
    assert few.and_then(Batch("s1", "s2", (event({}),), is_whole=True)) == Batch("s0", "s2", (event({}),) * 151, is_whole=True)
    assert few.and_then(more) == few.and_then(Batch("s1", "s2")) == Batch("s0", "s2")

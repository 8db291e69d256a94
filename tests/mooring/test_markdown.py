"""What is read in the Markdown of messages."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mooring.markdown import LONGEST_MARKDOWN, Formatted, read_markdown


def plainly(parts: tuple[Formatted | str, ...] | None) -> Any:
    """The tree as nested lists: a tag, what it has besides, and what is in it."""

    def one(part: Formatted | str) -> Any:
        if isinstance(part, str):
            return part
        return [part.tag, *filter(None, (part.href, part.language)), *([part.start] if part.start != 1 else []), *map(one, part.children)]

    return None if parts is None else [one(part) for part in parts]


READ: dict[str, Any] = {
    "good evening": None,
    "two\nlines": None,
    "2 < 3, a-b, +1, 5 > 4": [["p", "2 < 3, a-b, +1, 5 > 4"]],
    "**a** *b* `*c*` ~~d~~": [["p", ["strong", "a"], " ", ["em", "b"], " ", ["code", "*c*"], " ", ["s", "d"]]],
    "snake_case_name and 2 * 3 * 4": [["p", "snake_case_name and 2 * 3 * 4"]],
    r"\*not so\*": [["p", "*not so*"]],
    "- a\n- b": [["ul", ["li", ["p", "a"]], ["li", ["p", "b"]]]],
    "3. c\n4. d": [["ol", 3, ["li", ["p", "c"]], ["li", ["p", "d"]]]],
    "> so\n> it is": [["blockquote", ["p", "so"], ["p", "it is"]]],
    "`a`\nb\n\nc": [["p", ["code", "a"]], ["p", "b"], ["p"], ["p", "c"]],
    "```python\n**x** = 1\n```": [["pre", "python", "**x** = 1"]],
    "<b onclick=x>bold</b>": [["p", "<b onclick=x>bold</b>"]],
    "![x](https://example.org/y.png)": [["p", "!", ["a", "https://example.org/y.png", "x"]]],
    "[here](https://example.org)": [["p", ["a", "https://example.org", "here"]]],
    "[https://bank.example](https://example.org)": [["p", ["a", "https://example.org", "https://example.org"]]],
    "[here](javascript:alert(1)) [there](data:text/html,x)": [["p", "[here](javascript:alert(1)) [there](data:text/html,x)"]],
    "<https://example.org> <javascript:alert(1)>": [["p", ["a", "https://example.org", "https://example.org"], " <javascript:alert(1)>"]],
    "# no heading": None,
    "a\n---\n| x | y |": None,
    "&lt;b&gt; &#60;": None,
}


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: str) -> None:
    assert plainly(read_markdown(text)) == READ[text]


def test_depth_and_number_of_signs_are_bounded() -> None:
    assert read_markdown("[" * LONGEST_MARKDOWN) is None, "this would take time with the square of their number"
    assert read_markdown("**a** " + "x" * LONGEST_MARKDOWN) is None
    for nest in ("> ", "- ", "*a **b "):
        assert len(msgspec.json.encode(read_markdown(nest * 90))) < 10_000


def test_many_empty_lines_take_no_time_with_the_square_of_their_number() -> None:
    # 17 seconds it took, at twice as many.
    assert read_markdown("\n" * 200_000) is None
    assert read_markdown("\n" * LONGEST_MARKDOWN) is None

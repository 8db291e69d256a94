"""The Markdown of messages, read into a small tree: clients draw it, and gateways make of it what their network knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode
from msgspec import Struct

LONGEST_MARKDOWN = 4_000
"""Letters that are read of one text. Who wants to see the rest sees it as it was written."""

_MOST_SIGNS = 300
"""Of a text with more signs than that no reading is tried: some take time with the square of their number."""
_DEPTH = 12
_SIGNS = re.compile(r"[*_`~@\[\\<]|://|^[^\S\n]*(?:[>+-]|\d+[.)])\s", re.MULTILINE)
_TAGS = {
    "bullet_list": "ul",
    "ordered_list": "ol",
    "list_item": "li",
    "blockquote": "blockquote",
    "strong": "strong",
    "em": "em",
    "s": "s",
    "link": "a",
}
_ADDRESS = re.compile(r"://[^\s<>\"`]{1,2000}")
_SCHEME = re.compile(r"https?$", re.IGNORECASE)
_ENDS = re.compile(r"[.,;:!?'’”»…*。、，；：！？]+$")
_PAIRS = ("()", "[]", "{}", "（）", "「」", "【】")
_LANGUAGE = re.compile(r"[\w+#.-]{1,20}")


class Formatted(Struct, frozen=True, omit_defaults=True):
    """A part of a text: an element of this name with what is in it.

    `tag` is `p`, `ul`, `ol`, `li`, `blockquote`, `pre`, `code`, `strong`, `em`, `s`, `a`, `mention`, `details`, `summary`, `search` or `try`;
    whoever does not know one shows what is in it. An `a` has an `href`, a `pre` perhaps the `language` of its code, and an `ol` may begin
    at `start`. `search` stands for a field that searches the `details` beside it, and `try` offers to write its `href` into the composer.
    """

    tag: str
    children: tuple[Formatted | str, ...] = ()
    href: str = ""
    language: str = ""
    start: int = 1


def read_markdown(text: str) -> tuple[Formatted, ...] | None:
    """What is in a text that is short enough; None if it is lines of words and nothing else."""
    if len(text) > LONGEST_MARKDOWN:
        return None
    signs = sum(1 for _ in islice(_SIGNS.finditer(text), _MOST_SIGNS + 1))
    return _parts(text) if 0 < signs <= _MOST_SIGNS else None


@lru_cache(maxsize=256)
def _parts(text: str) -> tuple[Formatted, ...]:
    return tuple(_blocks(SyntaxTreeNode(_reader.parse(text)).children))


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> Iterable[Formatted]:
    before: SyntaxTreeNode | None = None
    for node in nodes:
        if node.type == "paragraph":
            if before is not None and before.type == "paragraph":
                yield Formatted("p")  # the gap that was left between them
            yield from _lines(node.children[0].children)
        elif node.type == "fence":
            language = _LANGUAGE.match(node.info)
            yield Formatted("pre", (node.content.removesuffix("\n"),), language=language[0] if language else "")
        else:
            yield Formatted(_TAGS[node.type], tuple(_blocks(node.children)), start=int(node.attrs.get("start", 1)))
        before = node


def _lines(nodes: Sequence[SyntaxTreeNode]) -> Iterable[Formatted]:
    """A paragraph for each line: who writes in a chat and begins a new line means it."""
    line: list[SyntaxTreeNode] = []
    for node in nodes:
        if node.type in {"softbreak", "hardbreak"}:
            yield Formatted("p", tuple(_spans(line)))
            line = []
        else:
            line.append(node)
    yield Formatted("p", tuple(_spans(line)))


def _spans(nodes: Iterable[SyntaxTreeNode]) -> Iterable[Formatted | str]:
    for node in nodes:
        if node.type in {"softbreak", "hardbreak"}:
            yield "\n"
        elif node.type == "code_inline":
            yield Formatted("code", (node.content,))
        elif node.type == "mention":
            yield Formatted("mention", (node.content,))
        elif node.type == "link":
            yield _link(node)
        elif node.type in _TAGS:
            yield Formatted(_TAGS[node.type], tuple(_spans(node.children)))
        elif node.content:
            yield node.content


def _link(node: SyntaxTreeNode) -> Formatted:
    href = str(node.attrs["href"])
    words = "".join(each.content for each in node.walk() if each.type in {"text", "code_inline"})
    # Words that look like an address must not stand for another one.
    return Formatted("a", (href if "://" in words or not words else words,), href=href)


def _address(state: StateInline, silent: bool) -> bool:
    """An address in the text; its scheme was taken for words until here."""
    scheme = _SCHEME.search(state.pending)
    match = _ADDRESS.match(state.src, state.pos) if scheme else None
    if scheme is None or match is None or state.linkLevel:
        return False
    rest = _trimmed(match[0])
    if not any(letter.isalnum() for letter in rest):
        return False
    if not silent:
        state.pending = state.pending[: scheme.start()]
        state.push("link_open", "a", 1).attrs = {"href": scheme[0] + rest}
        state.push("text", "", 0).content = scheme[0] + rest
        state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def _trimmed(address: str) -> str:
    """An address without the marks that end its sentence, or a bracket that was opened before it."""
    while True:
        short = _ENDS.sub("", address)
        pair = next((pair for pair in _PAIRS if short.endswith(pair[1])), None)
        if pair is None or short.count(pair[1]) <= short.count(pair[0]):
            return short
        address = short[:-1]


def _mention(state: StateInline, silent: bool) -> bool:
    """A name after an @ that no address has."""
    before = state.src[state.pos - 1 : state.pos]
    if state.src[state.pos] != "@" or (before and (before in "_.+@/-" or _is_letter(before))):
        return False
    end = state.pos + 1
    while end < state.posMax and (state.src[end] in "_.'’·-" or _is_letter(state.src[end])):
        end += 1
    name = re.sub(r"['’]s$", "", state.src[state.pos + 1 : end].rstrip("_.'’·-"))
    if not name or not _is_letter(name[0]):
        return False
    if not silent:
        state.push("mention", "", 0).content = f"@{name}"
    state.pos += 1 + len(name)
    return True


def _is_letter(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LMN"


_RULES = (
    "fence",
    "blockquote",
    "list",
    "escape",
    "backticks",
    "strikethrough",
    "emphasis",
    "link",
    "autolink",
    "newline",
    "balance_pairs",
    "fragments_join",
    "text_join",
)


def _made_reader() -> MarkdownIt:
    reader = MarkdownIt("zero", {"html": False, "maxNesting": _DEPTH})
    reader.enable([*_RULES])
    reader.inline.ruler.before("escape", "address", _address)
    reader.inline.ruler.before("escape", "mention", _mention)
    reader.validateLink = lambda url: re.match(r"https?://", url, re.IGNORECASE) is not None  # type: ignore[method-assign]
    return reader


_reader = _made_reader()

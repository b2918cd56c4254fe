"""Markdown of a runbook into HTML. Its library is loaded when the first runbook is shown.

Nothing in a file becomes markup of its own (html is off), and what a link or a code span names is looked up: links lead
to our own pages only, a reason's name to what that reason means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from exporter.model.reasons import Reason

REASONS = "reasons"
"""Path of the page that explains each reason, next to the runbooks."""

_PAGES = {"/": "../", "/config": "../config", "/runbooks/": "./"}  # code spans that become links to our pages
_RUNBOOK = re.compile(r"(\w+)\.md")
_OTHER_PAGE = re.compile(r"\.\./\.\./reasons\.md(?:#([a-z]+)[^/]*)?")


@cache
def markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).disable(["image", "autolink"])
    made.core.ruler.push("links", _links)
    return made


def _links(state: StateCore) -> None:
    """Change links so that they point to our pages. Links to files that are not served become plain text."""
    for block in state.tokens:
        kept: list[Token] = []
        dropped = False
        for token in block.children or ():
            if token.type == "link_open":
                href = _target(str(token.attrGet("href")), state.env["query"])
                dropped = not href
                token.attrSet("href", href)
            if not (dropped and token.type in ("link_open", "link_close")):
                kept.append(token)
        if block.children:
            block.children = kept


def _target(href: str, query: str) -> str:
    """Return the URL for a link in a file; "" if its target is not served."""
    if found := _RUNBOOK.fullmatch(href):
        return f"{found[1]}{query}"
    if found := _OTHER_PAGE.fullmatch(href):
        return f"{REASONS}{query}" + (f"#{found[1]}" if found[1] else "")
    return ""


class _Renderer(RendererHTML):
    """Renders code blocks that can be scrolled with the keyboard, and code spans as links to our pages."""

    def fence(self, tokens: Sequence[Token], idx: int, _: object, __: object) -> str:
        return f'<pre tabindex="0"><code>{escapeHtml(tokens[idx].content)}</code></pre>\n'

    def code_inline(self, tokens: Sequence[Token], idx: int, _: object, env: Mapping[str, str]) -> str:
        text = tokens[idx].content
        code = f"<code>{escapeHtml(text)}</code>"
        if text in _PAGES:
            return f'<a href="{_PAGES[text]}{env["query"]}">{code}</a>'
        if text in _NAMES:
            return f'<a href="{REASONS}{env["query"]}#{text}">{code}</a>'
        return code


_NAMES = frozenset(str(reason) for reason in Reason)

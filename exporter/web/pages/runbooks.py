"""The runbooks: Markdown of docs/runbooks, one file per alert and language, read once and made into HTML.

Nothing in a file becomes markup of its own (html is off), and what a link or a code span names is looked up: links lead
to our own pages only, a reason's name to what that reason means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from exporter.model.phrases import languages
from exporter.model.reasons import Layer, Reason, about

REASONS = "reasons"
"""The page beside the runbooks that tells what each reason means."""

_PACKAGE = Path(__file__).parents[2]
FOLDERS = (_PACKAGE / "data" / "runbooks", _PACKAGE.parent / "docs" / "runbooks")
"""Where they lie in a wheel, and in a source checkout."""

_PAGES = {"/": "../", "/config": "../config", "/runbooks/": "./"}  # code spans that are pages of ours
_RUNBOOK = re.compile(r"(\w+)\.md")
_OTHER_PAGE = re.compile(r"\.\./\.\./reasons\.md(?:#([a-z]+)[^/]*)?")


@dataclass(frozen=True, slots=True)
class Runbook:
    """One alert's, in one language."""

    alert: str
    lead: str  # what the alert means, in one sentence
    facts: str  # severity, duration and layer, as the shipped rules have them
    text: str  # the sections, in Markdown


def folder() -> Path:
    """Where the runbooks are."""
    return next((each for each in FOLDERS if each.is_dir()), FOLDERS[-1])


@cache
def library(language: str) -> Mapping[str, Runbook]:
    """All runbooks of a language, by alert; of the nearest one that has any."""
    own = folder() / language
    files = sorted((own if own.is_dir() else folder() / languages()[language].like).glob("*.md"))
    return {file.stem: parse(file.stem, file.read_text(encoding="utf-8")) for file in files}


def parse(alert: str, text: str) -> Runbook:
    """Take a file apart: `# Alert`, the sentence, the facts, then the sections."""
    head, mark, sections = text.partition("\n## ")
    blocks = [" ".join(block.split("\n")) for block in head.strip().split("\n\n")]
    if len(blocks) != 3 or blocks[0] != f"# {alert}" or not mark:
        raise ValueError(f"the runbook {alert} does not begin with its name, a sentence, its facts and a section")
    return Runbook(alert, blocks[1], blocks[2], f"## {sections}")


@cache
def body(alert: str, language: str, lang_query: str) -> Markup:
    """The sections as HTML. `lang_query` ("" or "?lang=zh") goes on to every page that they lead to."""
    return Markup(_markdown().render(library(language)[alert].text, {"query": lang_query}))  # noqa: S704 - html is off


@cache
def inline(text: str, lang_query: str) -> Markup:
    """One line of Markdown as HTML."""
    return Markup(_markdown().renderInline(text, {"query": lang_query}))  # noqa: S704 - html is off


def by_layer() -> Mapping[Layer, Sequence[Reason]]:
    """Every reason, in the order of the layers."""
    return {layer: [reason for reason in Reason if about(reason).layer is layer] for layer in Layer}


# -- Markdown into HTML ---------------------------------------------------------------------------------------------


@cache
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).disable(["image", "autolink"])
    made.core.ruler.push("links", _links)
    return made


def _links(state: StateCore) -> None:
    """Point links at our pages; take away those that would lead nowhere from here, and leave their words."""
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
    """Where a link of a file leads on the web; "" where that is not served."""
    if found := _RUNBOOK.fullmatch(href):
        return f"{found[1]}{query}"
    if found := _OTHER_PAGE.fullmatch(href):
        return f"{REASONS}{query}" + (f"#{found[1]}" if found[1] else "")
    return ""


class _Renderer(RendererHTML):
    """Code that can be scrolled by keyboard, and code spans that lead on."""

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

"""The runbooks: Markdown files in docs/runbooks, one per alert and language, read once and rendered as HTML.

HTML in a file is not interpreted. Links lead only to our own pages; the name of a reason links to its explanation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from markupsafe import Markup

from exporter.model.phrases import languages
from exporter.model.reasons import Layer, Reason, about

_PACKAGE = Path(__file__).parents[2]
FOLDERS = (_PACKAGE / "data" / "runbooks", _PACKAGE.parent / "docs" / "runbooks")
"""The folders of the runbooks in a wheel and in a source checkout."""


@dataclass(frozen=True, slots=True)
class Runbook:
    """The runbook of one alert, in one language."""

    alert: str
    lead: str  # what the alert means, in one sentence
    facts: str  # severity, duration and layer, as the shipped rules have them
    text: str  # the sections, in Markdown


def folder() -> Path:
    """Return the folder of the runbooks."""
    return next((each for each in FOLDERS if each.is_dir()), FOLDERS[-1])


@cache
def library(language: str) -> Mapping[str, Runbook]:
    """Return all runbooks of a language by alert name; if it has none, those of the closest language."""
    own = folder() / language
    files = sorted((own if own.is_dir() else folder() / languages()[language].like).glob("*.md"))
    return {file.stem: parse(file.stem, file.read_text(encoding="utf-8")) for file in files}


def parse(alert: str, text: str) -> Runbook:
    """Parse a file: `# Alert`, the sentence, the facts, then the sections. Raises ValueError."""
    head, mark, sections = text.partition("\n## ")
    blocks = [" ".join(block.split("\n")) for block in head.strip().split("\n\n")]
    if len(blocks) != 3 or blocks[0] != f"# {alert}" or not mark:
        raise ValueError(f"the runbook {alert} does not begin with its name, a sentence, its facts and a section")
    return Runbook(alert, blocks[1], blocks[2], f"## {sections}")


@lru_cache(maxsize=512)
def body(alert: str, language: str, lang_query: str) -> Markup:
    """Return the sections as HTML. `lang_query` ("" or "?lang=zh&tz=UTC") is added to all links to our pages."""
    from exporter.web.pages.markdown import markdown

    return Markup(markdown().render(library(language)[alert].text, {"query": lang_query}))  # noqa: S704 - raw HTML is disabled


@lru_cache(maxsize=2048)
def inline(text: str, lang_query: str) -> Markup:
    """Return one line of Markdown as HTML."""
    from exporter.web.pages.markdown import markdown

    return Markup(markdown().renderInline(text, {"query": lang_query}))  # noqa: S704 - raw HTML is disabled


def by_layer() -> Mapping[Layer, Sequence[Reason]]:
    """Return all reasons by layer, in the order of the layers."""
    return {layer: [reason for reason in Reason if about(reason).layer is layer] for layer in Layer}

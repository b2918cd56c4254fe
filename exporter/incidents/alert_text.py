"""What an alert says: what is wrong since when, who is affected, what was said, what to do."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from urllib.parse import quote

from exporter.incidents.incident import Incident
from exporter.model.details import detail
from exporter.model.phrases import FALLBACK, Phrases, texts
from exporter.model.reasons import about
from exporter.model.text import shortened

LANGUAGES = {"": "en", "_zh": "zh"}
"""Suffix of an annotation's name → language of its text. Users rely on these suffixes."""

MAX_NAMES = 10
MAX_NAME = 120  # characters of a name
MAX_WORDS = 300  # characters of the server's reply


def tells(alert: str) -> bool:
    """Return whether an incident can produce this alert. Some alerts come only from Prometheus."""
    return alert in texts(FALLBACK)["alerts"]


def annotations_of(incident: Incident, external_url: str = "") -> dict[str, str]:
    """Return all annotations of an incident's alert."""
    labels = dict(incident.labels)
    alert = labels["alertname"]
    found = {}
    for suffix, language in LANGUAGES.items():
        found[f"summary{suffix}"] = Phrases(language, "alerts")(alert)
        found[f"description{suffix}"] = _description(incident, language)
    found |= _times(incident)
    if external_url:
        base = external_url.rstrip("/")
        page = f"targets/{quote(labels['target'], safe='')}" if "target" in labels else ""
        found["dashboard_url"] = f"{base}/{page}"
        found["runbook_url"] = f"{base}/runbooks/{alert}"
    return found


def watchdog_annotations() -> dict[str, str]:
    """Return the annotations of the alert that always fires."""
    return {f"summary{suffix}": Phrases(language)("annotations.watchdog") for suffix, language in LANGUAGES.items()}


def names(targets: tuple[str, ...], say: Phrases) -> str:
    """Return at most ten names, followed by the number of the others."""
    shown = ", ".join(cleaned(name, MAX_NAME) for name in sorted(targets)[:MAX_NAMES])
    left = len(targets) - MAX_NAMES
    return shown + (say("annotations.more", n=left) if left > 0 else "")


def cleaned(text: str, limit: int = MAX_WORDS) -> str:
    """Return one line of at most `limit` characters, without control characters and changes of direction."""
    plain = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * limit])
    return shortened(plain, limit)


def clock(at: float) -> str:
    """Return a Unix time in the time zone of this machine, with its offset: `2026-03-01 08:30:00 UTC+08:00`."""
    local = datetime.fromtimestamp(at).astimezone()
    return f"{local:%Y-%m-%d %H:%M:%S} UTC{local.isoformat()[-6:]}"


def _times(incident: Incident) -> dict[str, str]:
    """Return since and until when the fault lasted, as the rules for Prometheus tell it.

    Not when the alert was sent: that is minutes later.
    """
    found = {"since": clock(incident.since)}
    if incident.ended:
        found |= {"until": clock(incident.ended), "lasted": duration(incident.ended - incident.since)}
    return found


def duration(seconds: float) -> str:
    """Return 468 as `7m 48s`, like `humanizeDuration` of Prometheus."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (left, "s")]
    shown = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number}{unit}" for number, unit in parts[shown:])


def _description(incident: Incident, language: str) -> str:
    say, known = Phrases(language, "annotations"), about(incident.reason)
    if incident.resolved:
        return say("works_again", at=clock(incident.ended)) if incident.ended else say("over")
    parts = [incident.what(language), say("since", at=clock(incident.since))]
    if len(incident.targets) > 1:
        shown = names(incident.targets, say)
        parts.append(say("affected", count=len(incident.targets), names=shown))
    if incident.text:
        said = cleaned(detail(incident.text, language))
        parts.append(say.labelled("common.server_said", say("quoted", text=said)))
    parts += [say.labelled("common.what_to_do", known.remedy(language, incident.advice)), known.whose_job(language)]
    return say("common.gap").join(parts)

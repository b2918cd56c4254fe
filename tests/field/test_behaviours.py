"""Tests that what servers said in behaviours from the field is told as what it is, at the step at which it was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.diagnosis.diagnose import diagnose
from exporter.model import Command, Phase, Service
from exporter.model.errors import Refusal

ROWS = yaml.safe_load((Path(__file__).parent / "behaviours.yaml").read_text(encoding="utf-8"))
COMMANDS = {"mail": Command.MAIL, "rcpt": Command.RCPT, "dot": Command.MESSAGE}


# a refused STARTTLS is told by the session, which knows what it asked for
@pytest.mark.parametrize("row", [row for row in ROWS if row["phase"] != "starttls"], ids=lambda row: row["id"])
def test_a_reply_at_its_step_is_told_as_what_it_is(row: dict[str, Any]):
    phase = Phase(row["phase"])
    command = COMMANDS.get(row["id"].partition("-")[0]) if phase is Phase.SUBMIT else None
    said = Refusal(Service(row["protocol"]), "", row["text"], command)
    assert diagnose(said, phase).reason in row["expected"]

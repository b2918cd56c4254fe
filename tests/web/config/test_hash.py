"""Tests the command in docs/security.md that makes a hash: a login with its output works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from exporter.web.config.load import load
from exporter.web.config.users import Users
from tests.web.config.material import PASSWORD

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


async def test_the_command_of_the_page_makes_a_hash_that_works(write):
    found = re.search(r"^/opt/mailprobe/bin/python (-c '.*')$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    made = subprocess.run(
        [sys.executable, "-W", "ignore", *shlex.split(found[1])],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,  # without a terminal it reads its standard input
    ).stdout.split()[-1]
    settings = load(write(f"basic_auth_users: {{ops: {made}}}\n"))
    users = Users()
    assert await users.allowed(settings.users, "ops", PASSWORD.encode())
    users.close()

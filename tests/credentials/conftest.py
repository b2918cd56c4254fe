"""Fixtures of the tests of the login guard."""

from __future__ import annotations

import pytest

from exporter.credentials.guard import LoginGuard
from exporter.model.settings import GuardSettings
from tests.credentials.machine import Disk, Time


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def logins(disk, time):
    return LoginGuard(disk.session(), GuardSettings(), clock=time.clock())

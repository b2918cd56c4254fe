"""Tests of `oauth2` of a mailbox with its provider's preset: endpoints, scopes, and the identity of the credential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.config import load
from exporter.config.presets import presets
from exporter.config.schema.targets import OAuth2
from exporter.model import Flow, Login, ProbeName, Service
from exporter.net import urls
from exporter.probes import imap
from exporter.targets.build import Built, build
from exporter.targets.token_source import SignIn, Whose, sign_in

MICROSOFT = "https://login.microsoftonline.com"
CHINA = "https://login.partner.microsoftonline.cn"


def whose(*services: str) -> Whose:
    named = [Service(each) for each in services or ("imap", "smtp")]
    return Whose("sales@example.com", "example.com", named, Path("ca.pem"))


def entry(preset: str, *services: str, **keys: Any) -> SignIn:
    written = {"client_id": "abc", "refresh_token_file": Path("secrets/token")} | keys
    kept = {key: value for key, value in written.items() if value is not None}
    return sign_in(OAuth2.model_validate(kept), presets()[preset].oauth2, whose(*services))


APPLICATION = {"flow": "client_credentials", "client_secret_file": Path("client"), "refresh_token_file": None}


def test_microsoft_365():
    found = entry("microsoft365")
    assert found.source.token_url == f"{MICROSOFT}/example.com/oauth2/v2.0/token"
    assert found.device_url == f"{MICROSOFT}/example.com/oauth2/v2.0/devicecode"
    assert found.authorize_url == f"{MICROSOFT}/example.com/oauth2/v2.0/authorize"
    outlook = "https://outlook.office.com"
    assert found.source.scope == f"offline_access {outlook}/IMAP.AccessAsUser.All {outlook}/SMTP.Send"
    assert entry("microsoft365", "pop3").source.scope == f"offline_access {outlook}/POP.AccessAsUser.All"
    assert entry("microsoft365", **APPLICATION).source.scope == "https://outlook.office365.com/.default"


def test_microsofts_china_cloud_is_a_world_of_its_own():
    found = entry("microsoft365_cn", **APPLICATION)
    assert found.source.token_url == f"{CHINA}/example.com/oauth2/v2.0/token"
    assert found.source.scope == "https://partner.outlook.cn/.default"
    assert (
        entry("microsoft365_cn", "imap").source.scope
        == "offline_access https://partner.outlook.cn/IMAP.AccessAsUser.All"
    )
    assert entry("microsoft365_cn").device_url == f"{CHINA}/example.com/oauth2/v2.0/devicecode"


def test_a_tenant_that_the_user_names_takes_the_other_endpoints_along():
    found = entry("microsoft365", token_url=f"{MICROSOFT}/11111111-2222/oauth2/v2.0/token")
    assert found.device_url == f"{MICROSOFT}/11111111-2222/oauth2/v2.0/devicecode"
    assert entry("microsoft365", token_url="https://sso.example.com/token").device_url == ""


def test_google():
    found = entry("gmail")
    assert found.source.token_url == "https://oauth2.googleapis.com/token"
    assert found.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert found.device_url == ""  # Google gives no device code for mail
    assert found.source.scope == "https://mail.google.com/"
    service = entry(
        "google_workspace", flow="jwt_bearer", key_file=Path("key.json"), client_id=None, refresh_token_file=None
    )
    assert (service.source.flow, service.source.subject) == (Flow.JWT_BEARER, "sales@example.com")
    assert service.refresh_token_file is None


def test_what_the_user_writes_wins():
    found = entry(
        "gmail", scope=" mail  offline ", authorize_url="https://a.test/", device_url="https://d.test/",
        redirect_url="https://r.test/",
    )  # fmt: skip
    assert found.source.scope == "mail offline"
    assert (found.authorize_url, found.device_url, found.redirect_url) == (
        "https://a.test/", "https://d.test/", "https://r.test/",
    )  # fmt: skip


def test_a_private_ca_is_for_endpoints_that_the_user_names():
    assert entry("gmail").source.ca_file is None
    assert entry("gmail", token_url="https://sso.example.com/token").source.ca_file == Path("ca.pem")


@pytest.mark.parametrize("preset", [each for each in presets().values() if each.oauth2], ids=lambda each: each.id)
def test_every_endpoint_of_a_preset_is_https(preset):
    for url in (preset.oauth2.token_url, preset.oauth2.device_url, preset.oauth2.authorize_url):
        shown = url.replace("<domain>", "example.com")
        assert not shown or (urls.fault(shown) == "" and shown.startswith("https://"))


def test_every_provider_that_takes_tokens_alone_says_where_they_are_made():
    assert [each.id for each in presets().values() if each.login == "oauth2_only" and each.oauth2 is None] == []


# -- in the configuration -------------------------------------------------------------------------------------------

BOXES = """
mailboxes:
  - name: one
    address: one@gmail.com
    oauth2: {client_id: abc, refresh_token_file: token}
    smtp: {auth: oauthbearer}
  - name: two
    address: two@outlook.com
    oauth2: {client_id: abc, refresh_token_file: token}
  - name: three
    address: three@outlook.com
    password_env: THREE
"""


@pytest.fixture
def built(tmp_path: Path) -> Built:
    (tmp_path / "token").write_text("seed-canary")
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "config.yaml").write_text(BOXES)
    return build(load(tmp_path / "config.yaml"))


def logins(built: Built) -> dict[tuple[str, ProbeName], Login]:
    return {each.key: each.settings.login for each in built.targets if hasattr(each.settings, "login")}


def test_the_mechanism_is_by_token_and_one_login_tells_its_end(built):
    found = logins(built)
    first, second = found["one", ProbeName.IMAP], found["one", ProbeName.SMTP]
    assert (first.auth, second.auth) == ("oauth", "oauthbearer")
    assert (first.leads, second.leads) == (True, False)
    assert first.oauth == second.oauth
    assert first.oauth is not None
    assert hash(first.oauth) == hash(second.oauth)


def test_mailboxes_with_one_refresh_token_share_its_successor(built):
    found = logins(built)
    one, two = found["one", ProbeName.IMAP].oauth, found["two", ProbeName.IMAP].oauth
    assert one is not None
    assert two is not None
    assert one.name == two.name


def test_a_provider_without_passwords_is_warned_about(built):
    warned = [text for text in built.warnings if "no longer accepts passwords" in text]
    assert len(warned) == 1
    assert "mailboxes[2]" in warned[0]
    assert "mailprobe oauth three" in warned[0]


def test_building_twice_gives_equal_targets(built, tmp_path):
    again = build(load(tmp_path / "config.yaml"))
    assert again.targets == built.targets
    assert any(isinstance(each.settings, imap.Settings) for each in again.targets)


def test_a_missing_refresh_token_says_what_to_run(built, tmp_path):
    (tmp_path / "token").unlink()
    problems = load(tmp_path / "config.yaml").problems()
    assert "is not there: run mailprobe oauth one" in str(problems[0])

"""Tests of the meaning of a refused access token, and that it is not counted as a failure of the mail server."""

from __future__ import annotations

import pytest

from exporter.diagnosis import oauth_errors
from exporter.diagnosis.diagnose import diagnose
from exporter.incidents.rootcause.topology import AUTH, failing
from exporter.model import Phase, Service
from exporter.model.errors import Refusal
from exporter.model.reasons import Reason
from tests.results import failed, mailbox

EXPIRED, REJECTED = Reason.OAUTH_TOKEN_EXPIRED, Reason.OAUTH_TOKEN_REJECTED


@pytest.mark.parametrize(
    ("reason", "token", "text", "meant"),
    [
        (Reason.WRONG_PASSWORD, "kept", 'NO no\n{"status":"invalid_token"}', EXPIRED),
        (Reason.WRONG_PASSWORD, "kept", 'NO no\n{"status":"400","schemes":"Bearer"}', EXPIRED),
        # a new token, so that another one would not help
        (Reason.WRONG_PASSWORD, "new", 'NO no\n{"status":"401"}', REJECTED),
        (Reason.WRONG_PASSWORD, "kept", 'NO no\n{"status":"insufficient_scope"}', REJECTED),
        (Reason.WRONG_PASSWORD, "kept", "535 5.7.3 Authentication unsuccessful", REJECTED),
        (Reason.AMBIGUOUS_LOGIN_REFUSED, "kept", 'NO no\n{"status" : "401"}', EXPIRED),
        (Reason.AMBIGUOUS_LOGIN_REFUSED, "kept", "NO no", Reason.AMBIGUOUS_LOGIN_REFUSED),
        (Reason.OAUTH_TOKEN_EXPIRED, "new", "NO AUTHENTICATE failed.", REJECTED),
        (Reason.OAUTH_TOKEN_EXPIRED, "kept", "NO AUTHENTICATE failed.", EXPIRED),
        (Reason.RATE_LIMITED, "kept", 'NO slow down\n{"status":"400"}', Reason.RATE_LIMITED),
        (Reason.PROTOCOL_DISABLED, "new", "NO connected but not authenticated", Reason.PROTOCOL_DISABLED),
        (Reason.ACCOUNT_DISABLED, "new", "NO", Reason.ACCOUNT_DISABLED),
    ],
)
def test_a_refused_token_is_no_wrong_password(reason, token, text, meant):
    assert oauth_errors.of_server(reason, token, text) is meant


def test_the_diagnosis_knows_that_a_token_was_refused():
    refusal = Refusal(Service.IMAP, "NO", 'NO [AUTHENTICATIONFAILED] no\n{"status":"invalid_token"}')
    assert diagnose(refusal, Phase.LOGIN, token_age="kept").reason is EXPIRED
    assert diagnose(refusal, Phase.LOGIN, token_age="new").reason is REJECTED


@pytest.mark.parametrize("reason", [Reason.HOST_NOT_FOUND, Reason.CERTIFICATE_EXPIRED, Reason.TIMEOUT])
def test_a_token_endpoint_out_of_reach_is_no_dead_mail_host(reason):
    found = failing(failed(mailbox(), reason, Phase.TOKEN))
    assert found is not None
    assert (found.rank, found.lookup) == (AUTH, False)
    found = failing(failed(mailbox(), reason, Phase.CONNECT))
    assert found is not None
    assert found.rank < AUTH

"""The dashboard DNS and TLS: records, resolvers, servers, and the time until certificates expire.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.marks import (
    ANSWERED,
    ANY_IS_BAD,
    ANY_IS_WARNING,
    CERTIFICATE_DAYS,
    DKIM_BITS,
    NEVER,
    STATES,
    UP,
    VALID,
)
from grafana.generator.promql import days_left, series
from grafana.generator.spec import Column, Filled, Lines, Page, Query, Row, Stat, Step, Table, Text, Timeline

_DOMAIN = "job, domain"
_SERVER = "job, protocol, server, port"
_ENDS = "tls_certificate_not_after_timestamp_seconds"


def _now() -> Row:
    def small(
        title: str,
        shows: Text,
        bad: Text,
        alerts: tuple[str, ...],
        expr: str,
        *,
        steps: tuple[Step, ...],
        unit: str = "short",
    ) -> Stat:
        return Stat(
            title=title,
            shows=shows,
            bad=bad,
            alerts=alerts,
            queries=(Query(expr, instant=True),),
            unit=unit,
            width=4,
            height=4,
            steps=steps,
        )

    lookups = f"min by ({_DOMAIN}) (avg by ({_DOMAIN}, record_type) ({series('dns_lookup_success')}))"
    policies = f"min by ({_DOMAIN}, policy) ({series('dns_policy_valid')})"
    changed = f"(time() - max by ({_DOMAIN}, record_type) ({series('dns_last_change_timestamp_seconds')} > 0))"
    days = days_left(_ENDS, _SERVER)
    return Row(
        "Are DNS and TLS in order?",
        (
            small(
                "Domains without answer",
                "Domains for which a lookup fails in most replicas: SERVFAIL, timeout, bad signatures, refused.",
                "Anything above 0: mail to these domains stops.",
                ("MailDNSFailing",),
                f"sum({lookups} < bool 0.5)",
                steps=ANY_IS_BAD,
            ),
            small(
                "Wrong records",
                "MX, SPF, DKIM, DMARC and other policies that are missing or wrong.",
                "Anything above 0: the table below names them.",
                ("MailDNSPolicyInvalid", "MailDNSRecordMissing"),
                f"sum({policies} == bool 0)",
                steps=ANY_IS_WARNING,
            ),
            small(
                "Records changed",
                Filled(
                    "Records that were seen to change within the last {} minutes.", thresholds.DNS_CHANGE_SECONDS // 60
                ),
                "A change that nobody planned.",
                ("MailDNSChanged",),
                f"sum({changed} < bool {thresholds.DNS_CHANGE_SECONDS}) or 0 * sum({series('dns_records')})",
                steps=ANY_IS_WARNING,
            ),
            small(
                "Servers down",
                "Server ports that do not answer as they should, in most replicas.",
                "Anything above 0: every mailbox there is affected.",
                ("MailEndpointDown",),
                f"sum(avg by ({_SERVER}) ({series('endpoint_up')}) < bool 0.5)",
                steps=ANY_IS_BAD,
            ),
            small(
                "Invalid certificates",
                "Servers whose certificate has ended, is for another name or comes from an unknown authority.",
                "Anything above 0: mail programs warn or refuse.",
                ("MailCertificateInvalid", "MailCertificateExpired"),
                f"sum(min by ({_SERVER}) ({series('tls_certificate_valid')}) == bool 0)",
                steps=ANY_IS_BAD,
            ),
            small(
                "First certificate ends",
                "Days until the first of all certificates ends.",
                Filled(
                    "Under {} days a warning, under {} critical.",
                    thresholds.CERTIFICATE_WARNING_DAYS,
                    thresholds.CERTIFICATE_CRITICAL_DAYS,
                ),
                ("MailCertificateExpiringSoon",),
                f"min({days})",
                steps=CERTIFICATE_DAYS,
                unit="d",
            ),
        ),
    )


def _domains() -> Row:
    lookups = f"avg by ({_DOMAIN}, record_type) ({series('dns_lookup_success')})"
    policies = f"min by ({_DOMAIN}, policy) ({series('dns_policy_valid')})"
    return Row(
        "Which domain, and since when?",
        (
            Timeline(
                title="Policies of each domain",
                shows="Whether each policy is published and right. One that cannot be judged is not here.",
                bad="INVALID: an mx that is missing stops mail, the others make receivers doubt it.",
                alerts=("MailDNSRecordMissing", "MailDNSPolicyInvalid"),
                queries=(Query(policies, "{{domain}} {{policy}}"),),
                width=12,
                height=10,
                words=VALID,
                steps=STATES,
            ),
            Timeline(
                title="Lookups of each domain",
                shows="Whether there is a definite answer, also “no such record”. DISPUTED: replicas disagree.",
                bad="NO ANSWER: the domain's name servers, its signatures, or our resolver.",
                alerts=("MailDNSFailing",),
                queries=(Query(lookups, "{{domain}} {{record_type}}"),),
                width=12,
                height=10,
                words=ANSWERED,
                steps=STATES,
            ),
            Table(
                title="Records",
                shows="How many records of each kind there are, and when they were last seen to change.",
                bad="A 0 where there should be one, and a change that nobody planned.",
                alerts=("MailDNSChanged", "MailDNSRecordMissing"),
                queries=(
                    Query(f"max by ({_DOMAIN}, record_type) ({series('dns_records')})"),
                    Query(f"max by ({_DOMAIN}, record_type) ({series('dns_last_change_timestamp_seconds')}) * 1000"),
                ),
                width=8,
                height=9,
                sort="Changed",
                columns=(
                    Column(title="Domain", label="domain"),
                    Column(title="Record", label="record_type", width=90),
                    Column(title="Count", query="A", unit="short", width=70),
                    Column(title="Changed", query="B", unit="dateTimeFromNow", words=NEVER, width=140),
                ),
            ),
            Table(
                title="DKIM keys",
                shows="Length of each published key. An Ed25519 key is short and strong.",
                bad="An RSA key below 1024 bits is ignored by receivers (RFC 8301), below 2048 it should be replaced.",
                alerts=("MailDNSPolicyInvalid",),
                queries=(Query(f"min by ({_DOMAIN}, selector, algorithm) ({series('dkim_key_length')})"),),
                width=8,
                height=9,
                none="no DKIM selector is configured",
                sort="Bits",
                descending=False,
                columns=(
                    Column(title="Domain", label="domain"),
                    Column(title="Selector", label="selector"),
                    Column(title="Algorithm", label="algorithm", width=100),
                    Column(title="Bits", query="A", unit="short", steps=DKIM_BITS, width=80),
                ),
            ),
            Lines(
                title="Duration of lookups",
                shows="How long lookups take, by kind of record, in the slowest replica.",
                bad="Seconds: a name server that does not answer, and each mail waits for it.",
                alerts=(),
                queries=(
                    Query(f"max by (job, record_type) ({series('dns_lookup_duration_seconds')})", "{{record_type}}"),
                ),
                unit="s",
                width=8,
                height=9,
            ),
        ),
    )


def _servers() -> Row:
    up = f"avg by ({_SERVER}) ({series('endpoint_up')})"
    chain = days_left("tls_chain_not_after_timestamp_seconds", _SERVER)
    return Row(
        "Which server, and until when?",
        (
            Timeline(
                title="Servers",
                shows="Whether each server port answers, apart from any account. DISPUTED: replicas disagree.",
                bad="DOWN: every mailbox there is affected.",
                alerts=("MailEndpointDown", "MailHostOutage"),
                queries=(Query(up, "{{server}}:{{port}} {{protocol}}"),),
                width=24,
                height=8,
                words=UP,
                steps=STATES,
            ),
            Table(
                title="Certificates",
                shows="Whether each server's certificate verifies, and for how many days it and the first of its chain "
                "are good.",
                bad="INVALID, or few days: mail programs warn or refuse.",
                alerts=("MailCertificateInvalid", "MailCertificateExpired", "MailCertificateExpiringSoon"),
                queries=(
                    Query(f"min by ({_SERVER}) ({series('tls_certificate_valid')})"),
                    Query(days_left(_ENDS, _SERVER)),
                    Query(chain),
                ),
                width=14,
                height=9,
                sort="Certificate",
                descending=False,
                columns=(
                    Column(title="Protocol", label="protocol", width=90),
                    Column(title="Server", label="server"),
                    Column(title="Port", label="port", width=80),
                    Column(title="Verifies", query="A", words=VALID, width=110),
                    Column(title="Certificate", query="B", unit="d", steps=CERTIFICATE_DAYS, width=120),
                    Column(title="Chain", query="C", unit="d", steps=CERTIFICATE_DAYS, width=120),
                ),
            ),
            Table(
                title="TLS versions and ciphers",
                shows="What was negotiated with each server, and by how many replicas.",
                bad="Anything older than TLS 1.2.",
                alerts=(),
                queries=(Query(f"count by ({_SERVER}, version, cipher) ({series('tls_info')})"),),
                width=10,
                height=9,
                sort="Version",
                descending=False,
                columns=(
                    Column(title="Server", label="server"),
                    Column(title="Port", label="port", width=80),
                    Column(title="Version", label="version", width=90),
                    Column(title="Cipher", label="cipher"),
                    Column(title="Seen by", query="A", unit="short", width=75),
                ),
            ),
            Lines(
                title="Days until certificates end",
                shows="A line that falls, and jumps up when the certificate is renewed.",
                bad=Filled("A line below {} days: the renewal has failed.", thresholds.CERTIFICATE_WARNING_DAYS),
                alerts=("MailCertificateExpiringSoon",),
                queries=(Query(days_left(_ENDS, _SERVER), "{{server}}:{{port}}"),),
                unit="d",
                width=24,
                height=7,
                steps=CERTIFICATE_DAYS,
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-dns-tls",
    title="Mail / DNS and TLS",
    about="The mail records of the domains, the servers apart from any account, and their certificates.",
    rows=(_now(), _domains(), _servers()),
)

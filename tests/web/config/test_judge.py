"""Tests that files are accepted and rejected as by exporter-toolkit in promtool:

0.8 in Debian 12, 0.11 in Debian 13.
"""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pytest

from exporter.config import ConfigError
from exporter.web.config.load import load
from tests.servers.process import binary
from tests.web.config.material import MUTUAL, TLS, hashed

BOTH_ACCEPT = {
    "nothing": "",
    "comment": "# later\n",
    "empty_parts": "tls_server_config: {}\nhttp_server_config: {}\nbasic_auth_users: {}\n",
    "keys_without_values": "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n",
    "tls": TLS,
    "every_version": TLS + "  min_version: TLS12\n  max_version: TLS13\n",
    "only_1_3": TLS + "  min_version: TLS13\n",
    "old_versions_allowed": TLS + "  min_version: TLS10\n",
    "ciphers": TLS + "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]\n",
    "ciphers_1_3": TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
    "no_ciphers": TLS + "  cipher_suites: []\n",
    "curve": TLS + "  curve_preferences: [X25519]\n",
    "curves": TLS + "  curve_preferences: [CurveP384, CurveP256]\n",
    "client_order": TLS + "  prefer_server_cipher_suites: no\n",
    "mutual": MUTUAL,
    "if_given": TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n",
    "no_client_certificate": TLS + "  client_auth_type: NoClientCert\n",
    "empty_client_auth": TLS + '  client_auth_type: ""\n',
    "the_systems_authorities": TLS + "  client_auth_type: RequireAndVerifyClientCert\n",
    "http1": "http_server_config: {http2: false}\n",
    "http2": "http_server_config: {http2: On}\n",
    "headers": (
        "http_server_config:\n  headers:\n    Content-Security-Policy: frame-ancestors 'self'\n"
        "    X-Frame-Options: sameorigin\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: ''\n"
        "    Strict-Transport-Security: max-age=31536000\n"
    ),
    "users": f"basic_auth_users:\n  ops: {hashed()}\n  '': {hashed()}\n",
    "user_of_htpasswd": f"basic_auth_users: {{ops: {hashed().replace('$2b$', '$2y$')}}}\n",
    "user_like_a_number": f"basic_auth_users: {{0123: {hashed()}}}\n",
}
BOTH_REFUSE = {
    "unknown_key": "tls_config: {}\n",
    "unknown_tls_key": TLS + "  certificate: x\n",
    "unknown_header": "http_server_config: {headers: {Server: nginx}}\n",
    "header_in_small_letters": "http_server_config: {headers: {x-frame-options: deny}}\n",
    "header_value": "http_server_config: {headers: {X-Frame-Options: DENY}}\n",
    "list": "- basic_auth_users\n",
    "twice": "basic_auth_users: {}\nbasic_auth_users: {}\n",
    "plain_password": "basic_auth_users: {ops: correct horse}\n",
    "no_password": "basic_auth_users: {ops: }\n",
    "cheap": f"basic_auth_users: {{ops: {hashed().replace('$04$', '$03$')}}}\n",
    "dear": f"basic_auth_users: {{ops: {hashed().replace('$04$', '$32$')}}}\n",
    "truth": "http_server_config: {http2: maybe}\n",
    "no_key": "tls_server_config: {cert_file: server.pem}\n",
    "no_cert": "tls_server_config: {key_file: server.key}\n",
    "no_such_cert": "tls_server_config: {cert_file: none.pem, key_file: server.key}\n",
    "other_key": "tls_server_config: {cert_file: server.pem, key_file: other.key}\n",
    "encrypted_key": "tls_server_config: {cert_file: server.pem, key_file: encrypted.key}\n",
    "client_auth_type": TLS + "  client_auth_type: Require\n",
    "authority_alone": TLS + "  client_ca_file: ca.pem\n",
    "no_such_authority": MUTUAL.replace("ca.pem", "none.pem"),
    "cipher": TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
    "openssl_cipher": TLS + "  cipher_suites: [ECDHE-RSA-AES128-GCM-SHA256]\n",
    "curve": TLS + "  curve_preferences: [P256]\n",
    "version": TLS + "  min_version: TLS14\n",
}
# docs/security.md says why of each.
ONLY_WE_REFUSE = {
    "request_certificate": TLS + "  client_auth_type: RequestClientCert\n",
    "any_certificate": TLS + "  client_auth_type: RequireAnyClientCert\n",
    "any_certificate_by_its_old_name": TLS + "  client_auth_type: RequireClientCert\n",
    "tls_without_certificate": "tls_server_config: {min_version: TLS13}\n",
    "authorities_without_one": MUTUAL.replace("ca.pem", "server.key"),
    "crossed_versions": TLS + "  min_version: TLS13\n  max_version: TLS12\n",
    "old_versions_only": TLS + "  max_version: TLS11\n",
    "user_who_cannot_log_in": f"basic_auth_users: {{'a:b': {hashed()}}}\n",
    "first_bcrypt": f"basic_auth_users: {{ops: {hashed().replace('$2b$', '$2$')}}}\n",
}
# Keys of later versions of exporter-toolkit.
ONLY_WE_ACCEPT = {
    "rate_limit": "rate_limit: {interval: 1s, burst: 10}\n",
    "rate_limit_off": "rate_limit: {interval: 0, burst: 0}\n",
}
# What promtool judges by its version.
CIPHERS = TLS + "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_GCM_SHA384]\n"
NAMES = MUTUAL + "  client_allowed_sans: [prometheus.example.com]\n"


def toolkit_accepts(path) -> bool:
    argv = [binary("promtool", "prometheus"), "check", "web-config", str(path)]
    return subprocess.run(argv, capture_output=True, check=False, cwd=path.parent).returncode == 0


def we_accept(path) -> bool:
    try:
        load(path)
    except ConfigError:
        return False
    return True


CASES = [
    pytest.param(text, theirs, ours, id=f"{'toolkit' * theirs}-{'mailprobe' * ours}-{name}")
    for corpus, theirs, ours in (
        (BOTH_ACCEPT, True, True),
        (BOTH_REFUSE, False, False),
        (ONLY_WE_REFUSE, True, False),
        (ONLY_WE_ACCEPT, False, True),
    )
    for name, text in corpus.items()
]


@pytest.mark.parametrize(("text", "theirs", "ours"), CASES)
def test_a_file_is_judged_as_by_exporter_toolkit_but_for_what_is_listed(write, text, theirs, ours):
    path = write(text)
    assert (toolkit_accepts(path), we_accept(path)) == (theirs, ours)


@cache
def version(of: str) -> tuple[int, ...]:
    """The first two numbers of the version of `promtool`, or of the Go it was built with."""
    said = subprocess.run([binary("promtool", "prometheus"), "--version"], capture_output=True, text=True, check=True)
    found = re.search({"promtool": r"^promtool, version (\d+)\.(\d+)", "go": r"go(\d+)\.(\d+)"}[of], said.stdout)
    assert found is not None, said.stdout
    return tuple(map(int, found.groups()))


def test_ciphers_without_forward_secrecy_are_secure_until_go_1_22(write):
    """Debian 12 has Go 1.19 and accepts them, Debian 13 has Go 1.24 and refuses them; we go on accepting them."""
    path = write(CIPHERS)
    assert (toolkit_accepts(path), we_accept(path)) == (version("go") < (1, 22), True)


def test_names_of_clients_are_known_since_prometheus_2_45(write):
    """Its exporter-toolkit is 0.10, the first with this key. Debian 12 has 2.42, Debian 13 has 2.53."""
    path = write(NAMES)
    assert (toolkit_accepts(path), we_accept(path)) == (version("promtool") >= (2, 45), True)

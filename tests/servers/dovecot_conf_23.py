"""The configuration of dovecot 2.3 (Debian 12)."""

from __future__ import annotations

import json

from tests.servers.dovecot_conf import Templates

# Accounts: a small JSON file for each.
DICTIONARY = """uri = fs:posix:prefix={me.folder}/users/
key passdb {{
  key = passdb-%u
  format = json
}}
key userdb {{
  key = userdb-%u
  format = json
}}
passdb_objects = passdb
userdb_objects = userdb
"""

# Appended if access tokens are accepted.
MECHANISMS = """
auth_mechanisms = plain login scram-sha-256 xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {me.folder}/tokens.conf
}}
"""
TOKENS = """tokeninfo_url = {url}
introspection_mode = auth
username_attribute = username
active_attribute = active
active_value = true
rawlog_dir =
"""

# auth_failure_delay = 0, `nodelay`, no penalty listener, high limits: otherwise tests would measure dovecot's delays.
MAIN = """
base_dir = {me.folder}/run
state_dir = {me.folder}/run
instance_name = mailprobe-test
log_path = {me.log}
log_timestamp = "%Y-%m-%d %H:%M:%S.%{{usecs}} "
auth_verbose = yes
protocols = imap pop3 lmtp
listen = {listen}
ssl = yes
ssl_cert = <{default.chain}
ssl_key = <{default.key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =
recipient_delimiter = +
mail_location = mdbox:~/mdbox
mail_uid = vmail
mail_gid = vmail
first_valid_uid = {uid}
mail_fsync = never
mail_max_userip_connections = 1000
mail_plugins = quota
passdb {{
  driver = static
  args = noauthenticate=y nodelay=y
}}
passdb {{
  driver = dict
  args = {me.folder}/dict.conf
}}
userdb {{
  driver = dict
  args = {me.folder}/dict.conf
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_before = {me.folder}/sieve
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
  mailbox Trash {{
    special_use = \\Trash
    auto = create
  }}
  mailbox Drafts {{
    special_use = \\Drafts
    auto = create
  }}
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
  postmaster_address = postmaster@example.test
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  service_count = 0
  client_limit = 4000
  process_min_avail = 1
  inet_listener imap {{
    port = {me.imap}
  }}
  inet_listener imaps {{
    port = {me.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  client_limit = 4000
  inet_listener pop3 {{
    port = {me.pop3}
  }}
  inet_listener pop3s {{
    port = {me.pop3s}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 1000
  service_count = 200
}}
service auth {{
  client_limit = 20000
  unix_listener auth-userdb {{
    mode = 0666
  }}
  inet_listener sasl {{
    address = 127.0.0.1
    port = {me.sasl}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {me.lmtp}
  }}
}}
service stats {{
  client_limit = 20000
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""

CERTIFICATE = """
local {address} {{
  ssl_cert = <{pem.chain}
  ssl_key = <{pem.key}
}}
"""


def quota(storage: str, messages: int) -> dict[str, str]:
    return {"quota_rule": f"*:storage={storage}" + (f":messages={messages}" if messages else "")}


TEMPLATES = Templates(
    main=MAIN,
    certificate=CERTIFICATE,
    files={"dict.conf": DICTIONARY},
    tokens=MECHANISMS,
    token_files={"tokens.conf": TOKENS},
    quota=quota,
    account=json.dumps,
)

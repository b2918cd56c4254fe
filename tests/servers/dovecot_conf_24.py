"""The configuration of dovecot 2.4 (Debian 13)."""

from __future__ import annotations

from collections.abc import Mapping

from tests.servers.dovecot_conf import Templates

# Accounts: a small file for each, with one `name=value` per line. Lua reads it at every login, because 2.4 has no dict
# for accounts any more, and checks a passwd-file at most once a second.
ACCOUNTS = """
local function account(kind, user)
  local file = io.open("{me.folder}/users/" .. kind .. "-" .. user)
  if file == nil then
    return nil
  end
  local fields = {{}}
  for line in file:lines() do
    local name, value = line:match("^([^=]+)=(.*)$")
    fields[name] = value
  end
  file:close()
  return fields
end

function auth_passdb_lookup(request)
  local fields = account("passdb", request.user)
  if fields == nil then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, nil
  end
  return dovecot.auth.PASSDB_RESULT_OK, fields
end

function auth_userdb_lookup(request)
  local fields = account("userdb", request.user)
  if fields == nil then
    return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, nil
  end
  return dovecot.auth.USERDB_RESULT_OK, fields
end
"""

# Appended if access tokens are accepted.
TOKENS = """
auth_mechanisms = plain login scram-sha-256 xoauth2 oauthbearer
oauth2 {{
  tokeninfo_url = {url}
  introspection_mode = auth
  username_attribute = username
  active_attribute = active
  active_value = true
}}
"""

# auth_failure_delay = 0, `nodelay`, no penalty listener, high limits: otherwise tests would measure dovecot's delays.
MAIN = """
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = {me.folder}/run
state_dir = {me.folder}/run
instance_name = mailprobe-test
log_path = {me.log}
log_timestamp = "%Y-%m-%d %H:%M:%S.%{{usecs}} "
auth_verbose = yes
protocols = imap pop3 lmtp
listen = {listen}
ssl = yes
ssl_server_cert_file = {default.chain}
ssl_server_key_file = {default.key}
ssl_min_protocol = TLSv1.2
auth_allow_cleartext = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_chars =
recipient_delimiter = +
mail_driver = mdbox
mail_path = ~/mdbox
mail_uid = vmail
mail_gid = vmail
first_valid_uid = {uid}
mail_fsync = never
mail_max_userip_connections = 1000
lmtp_user_concurrency_limit = unlimited
mail_plugins = quota
quota "User quota" {{
  storage_grace = 0
}}
passdb static {{
  passdb_static_password = none
  fields {{
    noauthenticate = y
    nodelay = y
  }}
}}
passdb lua {{
  lua_file = {me.folder}/accounts.lua
}}
userdb lua {{
  lua_file = {me.folder}/accounts.lua
}}
sieve_script before {{
  type = before
  driver = file
  path = {me.folder}/sieve
}}
sieve_script personal {{
  driver = file
  path = ~/sieve
  active_path = ~/.dovecot.sieve
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
  mail_plugins {{
    imap_quota = yes
  }}
}}
protocol lmtp {{
  mail_plugins {{
    sieve = yes
  }}
  postmaster_address = postmaster@example.test
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  restart_request_count = unlimited
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
  restart_request_count = unlimited
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
  restart_request_count = 200
}}
service auth {{
  client_limit = 20000
  unix_listener auth-userdb {{
    mode = 0666
  }}
  inet_listener sasl {{
    listen = 127.0.0.1
    port = {me.sasl}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    listen = 127.0.0.1
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
  ssl_server_cert_file = {pem.chain}
  ssl_server_key_file = {pem.key}
}}
"""


def account(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in fields.items())


def quota(storage: str, messages: int) -> dict[str, str]:
    return {"quota_storage_size": storage, "quota_message_count": str(messages) if messages else "unlimited"}


TEMPLATES = Templates(
    main=MAIN,
    certificate=CERTIFICATE,
    files={"accounts.lua": ACCOUNTS},
    tokens=TOKENS,
    token_files={},
    quota=quota,
    account=account,
)

"""What to do about each reason, in English: the next step in plain words, for the person on duty.

At most 220 characters each. The keys are the values of `Reason`; `reasons` joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping

REMEDIES_EN: Mapping[str, str] = {
    # vantage
    "vantage_offline": "This machine has no network, so nothing is known about the mail service. Check its cable, VPN "
    "and gateway: ping the gateway, then a public address, then look at DNS.",
    "port_blocked": "This port fails to every host while others answer: a firewall blocks it. Ask the network team or "
    "the cloud provider to allow outbound TCP on it (25 is often closed; use 465 or 587).",
    "clock_wrong": "This machine's clock is off. Look at it with `timedatectl`, switch time synchronisation on with "
    "`timedatectl set-ntp true`, then check again.",
    # dns
    "host_not_found": "DNS knows no such name. Compare the host in config.yaml with the provider's help page; if it "
    "is your own domain, check its A, AAAA or MX record in the DNS console, and that it is still paid for.",
    "dns_timeout": "The DNS server did not answer in time. Run `dig` for the same name on this machine; check "
    "/etc/resolv.conf or `resolvers` in config.yaml, and that port 53 (UDP and TCP) is open.",
    "dns_server_failure": "The DNS server answered with an error. Ask another one, for example `dig @9.9.9.9 NAME`: "
    "if that fails too, the domain's own name servers are at fault, so tell whoever hosts its DNS.",
    "dnssec_bogus": "The domain's DNSSEC signatures do not verify, so many networks cannot resolve it. Compare the DS "
    "record at the registrar with the key in the DNS console; correct it, or remove the DS record.",
    "record_missing": "A DNS record that mail needs is missing; the text names it. Add it in the DNS console of the "
    "domain; the mail provider's help page shows the value to enter.",
    "record_invalid": "A DNS record is there but has a mistake; the text names the part. Correct it in the DNS "
    "console: look for stray quotes, line breaks, spaces and full-width punctuation.",
    "record_multiple": "There are several such records where only one may be, so receivers ignore them all. Merge "
    "them into one in the DNS console (SPF: a single v=spf1 line that holds every include).",
    "record_mismatch": "A DNS record is not what it should be. Find out who changed it; put it back in the DNS "
    "console, or correct the expected value in config.yaml.",
    "too_many_lookups": "The SPF record needs more than 10 DNS lookups, so receivers treat it as broken. Remove "
    "includes of services you no longer use, or write ip4: and ip6: ranges instead.",
    "domain_expiring": "The domain's registration ends soon; then all its mail stops. Renew it at the registrar "
    "today, and switch on automatic renewal.",
    "rdns_missing": "The sending IP address has no matching reverse DNS name, so receivers distrust it. Have the "
    "owner of the address (ISP or cloud console) set its PTR record to the mail server's name.",
    # transport
    "timeout": "No answer in time; the step shows where. While connecting: check firewall and port. Later on: the "
    "server is slow, so check again in a few minutes, then ask the provider.",
    "connection_refused": "The host is up, but nothing listens on this port: the mail service is down, so tell the "
    "provider. If it has never worked, compare host and port in config.yaml (IMAP 993, SMTP 465 or 587) first.",
    "host_unreachable": "There is no route to the server. Check this machine's gateway and VPN; if only IPv6 fails, "
    "set `family: ipv4` under `defaults` in config.yaml.",
    "connection_reset": "The server, or a firewall on the way, cut the connection. Try from another network, such as "
    "a phone hotspot: if it works there, look at the firewall or an IP ban here; if not, ask the provider.",
    "certificate_expired": "The server's certificate has expired, and mail programs refuse it. Your own server: renew "
    "it (`certbot renew`) and reload the mail service. A provider's server: report it at once.",
    "certificate_not_yet_valid": "The server's certificate is not valid yet. Look at this machine's clock first "
    "(`timedatectl`); if it is right, the server has a certificate that was installed too early: tell its "
    "administrator.",
    "certificate_name_mismatch": "The certificate is for another name. Put the server name that the provider "
    "publishes into `host` in config.yaml, or set `server_name`. Target HOST:PORT, probe `tls`, shows the names.",
    "certificate_untrusted": "The certificate's issuer is not trusted, or an intermediate is missing. Own CA: set "
    "`ca_file`. Otherwise have the server send its full chain. A firewall that inspects TLS also causes this.",
    "tls_failed": "The TLS handshake failed: often the server has only TLS 1.0 or 1.1, or a firewall interferes. Try "
    "`openssl s_client -connect HOST:PORT` and have TLS 1.2 or newer enabled on the server.",
    "starttls_unavailable": "The server does not offer STARTTLS on this port; no password was sent. Set `security: "
    "tls` with port 993 (IMAP) or 465 (SMTP) in config.yaml, or have STARTTLS enabled on the server.",
    "wrong_protocol": "Another protocol speaks on this port. Most often `security` is mixed up in config.yaml: ports "
    "993 and 465 want `tls`, ports 143 and 587 want `starttls`. Check host and port too.",
    "protocol_error": "The server's reply breaks the mail protocol; the transcript of this run shows it. An antivirus "
    "or firewall gateway may garble it. Send the transcript to the server's administrator.",
    "command_rejected": "The server did not accept a command; the transcript of this run shows which. Check port, "
    "`security` and `auth` in config.yaml; if they are right, send the transcript to the provider.",
    "server_error": "The server reports a fault of its own. There is nothing to change here: send its text and the "
    "time to the provider's support, or look into your own server's log.",
    "temporarily_unavailable": "The server says it is unavailable for now. Wait: mailprobe keeps trying. If it lasts "
    "over half an hour, look at the provider's status page and open a ticket.",
    "idle_disconnect": "The server ended the session because it found it idle. Once is harmless. If it repeats, the "
    "server or the network is very slow: compare the times of the steps and tell the provider.",
    "provider_alert": "The provider sends a notice that must be read. Read its text here, then log in to the webmail: "
    "usually something has to be confirmed there.",
    "http_status": "The web page answered with an unexpected status. Open the URL in a browser; check `expect_status` "
    "in config.yaml, and the web server's log.",
    # auth
    "wrong_password": "User name or password is wrong. Try them in the webmail, then correct the password file. Many "
    "providers want an authorization code (授权码) or an app password here instead of the web password.",
    "auth_code_required": "Make an authorization code (授权码) in the webmail: Settings → POP3/SMTP/IMAP, and put it "
    "in place of the password.",
    "app_password_required": "The account has two-step login, so mail programs need an app password. Make one under "
    "Account → Security → App passwords and put it in place of the password.",
    "password_expired": "The password has expired. Log in to the webmail, set a new one, and put it into the password "
    "file; where the provider uses authorization codes (授权码), make a new one.",
    "account_locked": "The account is locked, mostly after wrong passwords. Log in to the webmail and unlock it, or "
    "ask the mail administrator. Then look for phones and programs that still use an old password.",
    "account_disabled": "The account is disabled. Have the mail administrator enable it in the admin console; if its "
    "owner has left the company, take the mailbox out of config.yaml.",
    "account_suspended": "The provider has suspended the account, for example because of spam or an open bill. Log in "
    "to the webmail to read the notice, then have the administrator contact the provider.",
    "account_expired": "The account or its paid plan has run out. Have the mail administrator renew it in the "
    "provider's admin console.",
    "account_missing": "There is no such account on this server. Check `address` and `username` in config.yaml, and "
    "in the admin console whether the account was renamed or deleted.",
    "protocol_disabled": "IMAP, POP3 or SMTP is switched off for this account. Switch it on in the webmail: Settings "
    "→ POP3/SMTP/IMAP. For a company account the administrator may have to allow it first.",
    "oauth_required": "The provider takes no passwords here any more, only OAuth. Set `oauth2` for this mailbox in "
    "config.yaml, then run `mailprobe oauth NAME`.",
    "oauth_token_expired": "The access token has run out; mailprobe fetches a new one by itself. If this stays, check "
    "`token_url` and `client_id` under `oauth2`, and this machine's clock.",
    "oauth_token_rejected": "The provider refuses the token. Run `mailprobe oauth NAME` to sign in again; check in "
    "the provider's app registration that consent, scope and client secret are still valid.",
    "login_from_new_location_blocked": "The provider blocked a login from a new place. Log in to the webmail, open "
    "Security → Login records, confirm that it was you, and put this machine's IP address on the allow list if there "
    "is one.",
    "client_id_required": "The server wants the client to name itself (IMAP ID) before it opens a folder. Set "
    "`provider` for this mailbox in config.yaml, so that mailprobe does so.",
    "wrong_server": "The account does not live on this server. Look up the right server names on the provider's help "
    "page (free, company and overseas accounts often differ), and correct `host` in config.yaml.",
    "auth_unavailable": "No login can be made here now; the password may well be right. Check `port` and `security` "
    "in config.yaml (SMTP: 465 or 587). If they are, its password check is down (LDAP, AD, token server): wait.",
    "auth_missing": "The server offers no login that fits. Check `port`, `security` and `auth` in config.yaml (SMTP: "
    "465 or 587, not 25); for company accounts ask the administrator whether password login is allowed.",
    "tls_required": "The server wants encryption before a login. Set `security: tls` (ports 993, 465) or `security: "
    "starttls` (ports 143, 587) in config.yaml.",
    "ambiguous_login_refused": "Login refused without a cause. Check in the webmail, in this order: IMAP/SMTP service "
    "on? authorization code or app password used? account not locked? Then in config.yaml: full address as `username`?",
    "login_suspended": "mailprobe stopped logging in, so that the account is not locked. Mend the cause shown for the "
    "last login and replace the password: it tries again at once. Or run `mailprobe check --force`.",
    # capacity
    "rate_limited": "Too many connections or logins in a short time. Wait; then see which phones and programs use the "
    "account, close some, or raise `interval` for it in config.yaml.",
    "sending_limit_reached": "The account has reached its sending limit. Wait for the reset, mostly next day. Look in "
    "the Sent folder for bulk mail or signs of a stolen account; ask the provider for a higher limit.",
    "mailbox_over_quota": "The mailbox is full and new mail is refused. In the webmail empty Trash and Junk, sort by "
    "size and archive what is large, or have the administrator give it more space.",
    "mailbox_near_quota": "The mailbox is nearly full. Before mail is refused: empty Trash and Junk in the webmail, "
    "sort by size and archive what is large, or have the administrator give it more space.",
    "mailbox_in_use": "Another session holds the mailbox. Wait; if it repeats, close other mail programs on this "
    "account, or have them fetch less often.",
    # delivery
    "greylisted": "The receiver asks new senders to come back later (greylisting). Wait: the mail server tries again "
    "by itself. On your own receiving server, put the sender on its allow list.",
    "relay_denied": "The server does not pass on mail for us. Check that `smtp` in config.yaml names the sender's own "
    "submission server (port 465 or 587) and that its login works.",
    "sender_rejected": "The server does not accept the sender address. It must belong to the login: compare `address` "
    "and `username` in config.yaml, and look at the account's aliases in the admin console.",
    "recipient_unknown": "There is no such recipient. Check the address for a typing mistake; if it is one of yours, "
    "look in the admin console whether it was renamed or deleted.",
    "recipient_disabled": "The recipient's mailbox does not take mail. If it is one of yours, enable it in the admin "
    "console; if not, reach the person another way.",
    "recipient_over_quota": "The recipient's mailbox is full. If it is one of yours, make room in the webmail; if "
    "not, tell the person by phone or chat, and send again later.",
    "recipient_domain_bad": "The recipient's domain does not take mail. Check the part after the @ for a typing "
    "mistake; if it is your domain, check its MX records in the DNS console.",
    "spf_fail": "SPF failed: the sending server is not in the domain's SPF record. Add the provider's include, shown "
    "on its help page, to the one v=spf1 record in the DNS console.",
    "dkim_fail": "The DKIM signature is missing or wrong. Switch DKIM on in the mail provider's admin console, and "
    "compare the TXT record it shows with the one in the DNS console.",
    "dmarc_reject": "The receiver rejected the mail because the sending domain failed authentication (DMARC). Make "
    "SPF or DKIM pass for the domain in From: look at this domain's DNS rows first.",
    "ip_blocklisted": "The sending server's IP address is on a blocklist, which the text names. Look it up on that "
    "list's site, stop the cause, ask for removal. With a hosted service: send the text to the provider.",
    "content_rejected_spam": "The receiver took the mail for spam. Ask its administrator to allow the sender; if real "
    "mail is hit too, check SPF, DKIM and DMARC, and the links and wording of your mails.",
    "content_malformed": "The receiver objects to how the mail is built. Look for a gateway that rewrites mail "
    "(disclaimer, antivirus), and send the text to its administrator.",
    "attachment_rejected": "An attachment was refused for its type. Send it in another format or as a link; encrypted "
    "archives are often refused too.",
    "message_too_large": "The mail is larger than the server allows. Send large files as a link, or have the mail "
    "administrator raise the size limit.",
    "policy_rejected": "The server refused by a rule of its own. Read its text, which often holds a link or a code, "
    "and send it to the provider, or to the receiving side's postmaster if theirs refused.",
    "routing_loop": "The mail goes round in circles. Check the forwarding rules of both mailboxes, and in the DNS "
    "console that the MX records point at the server that holds the mailbox.",
    "remote_unreachable": "Your mail server cannot reach the recipient's. It keeps trying by itself. Check the MX "
    "records of the recipient's domain, and whether mail to others goes out.",
    "submission_uncertain": "The connection broke after the mail was handed over: it may or may not have been sent. "
    "Look in the Sent folder before you send anything again; the next round trip shows more.",
    "message_late": "The mail is not there yet and may still come: if it is only in flight, the next run tells. If it "
    "is late again and again, the hops' delays on the page of this target show which side holds it back.",
    "message_lost": "The test mail never came. Search junk folder, quarantine and filter rules of the receiving "
    "mailbox, and bounces in the sending one; then give the time and both addresses to the provider.",
    "message_in_junk": "The mail came, but into the junk folder. Mark it as not junk, put the sender on the safe "
    "list, and check SPF, DKIM and DMARC of the sending domain.",
    "message_altered": "The mail was changed on the way. Look for a gateway that adds a disclaimer, rewrites links or "
    "scans attachments: changes like these break DKIM.",
    "message_duplicated": "The mail came more than once. Look at forwarding and filter rules of the receiving "
    "mailbox, and for a second way of delivery such as a group address or a fetch by POP3.",
    "bounced": "The mail came back. Open the bounce in the sending mailbox: the line with the three-part code, such "
    "as 5.1.1, tells why. Act on that line, or send it to the provider.",
    # mailbox
    "folder_missing": "The folder does not exist. Compare `folders` in config.yaml with the webmail, letter by "
    "letter; some providers show a folder to mail programs only after you tick it in Settings.",
    "folder_exists": "The folder exists already. Nothing is lost; if it is in the way, rename or remove it in the "
    "webmail.",
    "message_missing": "The message was gone before it could be read. Look for filter rules, and for mail programs on "
    "this account that move mail or delete it after fetching.",
    "no_permission": "The account may not do this. Have the mail administrator grant it the right (for a shared "
    "folder: reading and deleting), or take the folder out of config.yaml.",
    "unsupported_operation": "The server cannot do this. Ask the provider whether it can be switched on; if not, take "
    "this part out of the mailbox's settings in config.yaml.",
    "replies_overdue": "Customers wait for an answer longer than agreed. Open the mailbox, answer the oldest mail "
    "first, or have a colleague take over.",
    # exporter
    "config": "A setting does not work; the text names it. Correct it in config.yaml, try it with `mailprobe "
    "--config.check`, then reload.",
    "local_error": "This machine has a problem of its own; the text names the file, port or limit. Check that "
    "mailprobe's user may read it, and that disk, memory and open files are not used up.",
    "unknown": "mailprobe does not know these words of the server. Read them here and try the same in the webmail; "
    "please report the text to the project, so that it is recognised next time.",
    "bug": "A fault in mailprobe, not in your mail. Please report it, with the log of this run and the output of "
    "`mailprobe --version`.",
}

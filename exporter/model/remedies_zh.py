"""What to do about each reason, in Simplified Chinese: the next step in plain words, for the person on duty.

At most 220 characters each. The keys are the values of `Reason`; `reasons` joins the two.
"""

from __future__ import annotations

from collections.abc import Mapping

REMEDIES_ZH: Mapping[str, str] = {
    # vantage
    "vantage_offline": "本机没有网络，无法判断邮件服务是否正常。先检查网线、VPN 和网关：依次 ping 网关、ping 公网地址"
    "，再看 DNS。",
    "port_blocked": "这个端口连哪台主机都不通，其他端口却正常，应该是被防火墙拦了。请网络管理员或云厂商放行该端口的出"
    "站 TCP（25 端口常被封，可改用 465 或 587）。",
    "clock_wrong": "本机时间不准。用 timedatectl 查看，执行 timedatectl set-ntp true 打开自动对时，然后重新检查。",
    # dns
    "host_not_found": "DNS 里没有这个名字。对照服务商帮助页核对 config.yaml 里的 host；如果是自家域名，到 DNS 控制台检"
    "查 A、AAAA 或 MX 记录，并确认域名没有欠费。",
    "dns_timeout": "DNS 服务器超时没有回应。在本机用 dig 查同一个名字试试；检查 /etc/resolv.conf 或 config.yaml 的 "
    "resolvers，并确认 53 端口（UDP 和 TCP）没有被拦。",
    "dns_server_failure": "DNS 服务器返回了错误。换一台查，例如 dig @223.5.5.5 域名：如果也失败，就是该域名自己的 DNS "
    "出了问题，请联系它的 DNS 服务商。",
    "dnssec_bogus": "该域名的 DNSSEC 签名验证不过，很多网络会解析不了。把注册商处的 DS 记录与 DNS 控制台里的密钥核对，"
    "改正过来，或者先删掉 DS 记录。",
    "record_missing": "缺少一条收发邮件必需的 DNS 记录，原文里写了是哪一条。到该域名的 DNS 控制台添加，记录值见邮箱服"
    "务商的帮助页。",
    "record_invalid": "DNS 记录有，但写错了，原文指出了位置。到 DNS 控制台改正，留意多余的引号、换行、空格和全角标点。",
    "record_multiple": "这种记录只能有一条，现在有好几条，收件方会全部忽略。到 DNS 控制台合并成一条（SPF：只留一行 "
    "v=spf1，把所有 include 写在里面）。",
    "record_mismatch": "DNS 记录与应有的值不一致。先弄清是谁改的，再到 DNS 控制台改回来；如果是有意改的，就更新 "
    "config.yaml 里的期望值。",
    "too_many_lookups": "SPF 记录要做的 DNS 查询超过 10 次，收件方会当作无效。删掉已经不用的 include，或者改写成 ip4:"
    "、ip6: 地址段。",
    "domain_expiring": "域名快到期了，一旦过期，所有邮件都会中断。今天就到注册商处续费，并打开自动续费。",
    "rdns_missing": "发信 IP 没有对应的反向解析，收件方会不信任它。请 IP 的提供方（运营商或云控制台）把 PTR 记录设为邮"
    "件服务器的域名。",
    # transport
    "timeout": "等了很久没有回应，看停在哪一步：停在连接，就查防火墙和端口；停在后面，多半是服务器太慢，过几分钟再查一"
    "次，仍不行就问服务商。",
    "connection_refused": "主机在线，但这个端口没有服务，应该是邮件服务停了，请联系服务商。如果从来没有连通过，先核对 "
    "config.yaml 里的 host 和 port（IMAP 用 993，SMTP 用 465 或 587）。",
    "host_unreachable": "到服务器的网络不通。检查本机的网关和 VPN；如果只有 IPv6 不通，在 config.yaml 的 defaults 下写"
    " family: ipv4。",
    "connection_reset": "连接被服务器或中间的防火墙断开了。换个网络（比如手机热点）试试：换了就通，查这边的防火墙、是"
    "否被封 IP；换了也不通，联系服务商。",
    "certificate_expired": "服务器证书过期了，邮件客户端会拒绝连接。自建服务器：续签证书（certbot renew）并重新加载邮"
    "件服务；服务商的服务器：马上报障。",
    "certificate_not_yet_valid": "服务器证书还没到生效时间。先用 timedatectl 看本机时间；时间没错，就是服务器换证书换"
    "早了，请联系它的管理员。",
    "certificate_name_mismatch": "证书上的名字和服务器名对不上。把 config.yaml 里的 host 改成服务商公布的服务器名，或"
    "者设置 server_name。证书里的名字见对象 HOST:PORT 的 tls 检查。",
    "certificate_untrusted": "证书的签发机构不受信任，或者缺中间证书。自建 CA：设置 ca_file；否则请对方装好完整证书链"
    "。会解密 TLS 的防火墙也会造成这种情况。",
    "tls_failed": "TLS 握手失败，常见原因是服务器只支持 TLS 1.0/1.1，或被防火墙干扰。用 openssl s_client -connect "
    "HOST:PORT 试一下，请对方启用 TLS 1.2 或以上。",
    "starttls_unavailable": "这个端口不支持 STARTTLS，密码没有发出去。在 config.yaml 里改成 security: tls，端口用 993"
    "（IMAP）或 465（SMTP），或请管理员打开 STARTTLS。",
    "wrong_protocol": "这个端口上跑的不是想要的协议，多半是 config.yaml 里 security 写反了：993、465 用 tls，143、587 "
    "用 starttls。也核对一下 host 和 port。",
    "protocol_error": "服务器的回应不符合邮件协议，会话记录里可以看到。可能是杀毒或防火墙网关改动了内容。请把会话记录"
    "发给服务器管理员。",
    "command_rejected": "服务器不接受某条命令，是哪一条见会话记录。检查 config.yaml 里的 port、security 和 auth；如果"
    "都对，把会话记录发给服务商。",
    "server_error": "服务器自己出了故障，我们这边不用改什么。把原文和时间发给服务商客服；自建服务器就查它的日志。",
    "temporarily_unavailable": "服务器说暂时不可用。先等等，mailprobe 会继续尝试；超过半小时还没恢复，就看服务商的状态"
    "公告并提交工单。",
    "idle_disconnect": "服务器认为会话空闲太久，断开了。偶尔一次没关系；如果反复出现，说明服务器或网络很慢，对比各步耗"
    "时后反馈给服务商。",
    "provider_alert": "服务商发来一条必须看的通知。先在这里看原文，再登录网页邮箱，通常要在那里确认点什么。",
    "http_status": "网页返回的状态码不对。用浏览器打开这个网址看看；检查 config.yaml 里的 expect_status 和网站服务器的"
    "日志。",
    # auth
    "wrong_password": "用户名或密码不对。先在网页邮箱试一下，再更正密码文件。很多邮箱在这里要填授权码或客户端专用密码"
    "，而不是网页登录密码。",
    "auth_code_required": "登录网页邮箱，进入“设置 → POP3/SMTP/IMAP”，开启服务并生成授权码，用它代替密码填进密码文件。",
    "app_password_required": "账号开了两步验证，客户端要用应用专用密码。到“账号 → 安全 → 应用专用密码”生成一个，填进密"
    "码文件代替原密码。",
    "password_expired": "密码过期了。登录网页邮箱改一个新密码，再更新密码文件；用授权码的邮箱要重新生成授权码。",
    "account_locked": "账号被锁定，多半是密码输错太多次。登录网页邮箱解锁，或请邮箱管理员解锁；再找找哪些手机、电脑还"
    "存着旧密码。",
    "account_disabled": "账号被停用。请邮箱管理员到管理后台启用；如果是离职人员的账号，从 config.yaml 里删掉。",
    "account_suspended": "账号被服务商封停，可能是因为发垃圾邮件或欠费。先登录网页邮箱看通知，再请管理员联系服务商。",
    "account_expired": "账号或套餐到期了。请邮箱管理员到服务商的管理后台续费。",
    "account_missing": "服务器上没有这个账号。核对 config.yaml 里的 address 和 username，再到管理后台看看是不是改名或"
    "删除了。",
    "protocol_disabled": "这个账号没有开启 IMAP、POP3 或 SMTP。到网页邮箱“设置 → POP3/SMTP/IMAP”里打开；企业邮箱可能要"
    "管理员先放开。",
    "oauth_required": "服务商在这里已经不接受密码，只能用 OAuth 登录。在 config.yaml 里给这个邮箱配置 oauth2，再运行 "
    "mailprobe oauth 邮箱名。",
    "oauth_token_expired": "访问令牌过期了，mailprobe 会自动换新的。如果一直这样，检查 oauth2 里的 token_url 和 "
    "client_id，以及本机时间。",
    "oauth_token_rejected": "服务商不认这个令牌。运行 mailprobe oauth 邮箱名 重新登录授权；再到服务商的应用管理里检查"
    "授权、scope 和客户端密钥是否仍然有效。",
    "login_from_new_location_blocked": "服务商拦截了一次异地登录。登录网页邮箱，在“安全 → 登录记录”里确认是本人操作；"
    "如果有 IP 白名单，把本机 IP 加进去。",
    "client_id_required": "服务器要求客户端先表明身份（IMAP ID）才让打开文件夹。在 config.yaml 里给这个邮箱写上 "
    "provider，mailprobe 就会发送。",
    "wrong_server": "这个账号不在这台服务器上。到服务商的帮助页查正确的服务器名（免费邮箱、企业邮箱和海外站点的往往不"
    "同），再改 config.yaml 里的 host。",
    "auth_unavailable": "这里现在登录不了，密码可能没问题。先核对 config.yaml 里的 port 和 security"
    "（SMTP 用 465 或 587）；没写错就是对方验证密码的服务（LDAP、AD、令牌服务）出了故障，先等等。",
    "auth_missing": "服务器没有可用的登录方式。检查 config.yaml 里的 port、security 和 auth（SMTP 用 465 或 587，不用 "
    "25）；企业邮箱问管理员是否允许密码登录。",
    "tls_required": "服务器要求先加密再登录。在 config.yaml 里写 security: tls（端口 993、465）或 security: starttls（"
    "端口 143、587）。",
    "ambiguous_login_refused": "登录被拒，服务器没说原因。到网页邮箱依次确认：IMAP/SMTP 开了吗？用的是授权码或专用密码"
    "吗？账号被锁了吗？再看 config.yaml：username 是完整地址吗？",
    "login_suspended": "为免账号被锁，mailprobe 已暂停登录。先解决上次登录失败的原因，更新密码文件后会立刻重试；也可以"
    "运行 mailprobe check --force。",
    # capacity
    "rate_limited": "短时间内连接或登录太多。先等等；再看看有哪些手机和程序在用这个账号，关掉一些，或在 config.yaml 里"
    "调大它的 interval。",
    "sending_limit_reached": "账号的发信量到上限了，通常第二天恢复。看看“已发送”里有没有群发邮件，或者被盗号的迹象；确"
    "实不够用就请服务商提高额度。",
    "mailbox_over_quota": "邮箱满了，新邮件进不来。到网页邮箱清空“已删除”和“垃圾邮件”，按大小排序，归档大邮件，或请管"
    "理员扩容。",
    "mailbox_near_quota": "邮箱快满了。趁还能收信：到网页邮箱清空“已删除”和“垃圾邮件”，按大小排序，归档大邮件，或请管"
    "理员扩容。",
    "mailbox_in_use": "邮箱正被另一个会话占用。先等等；如果总这样，关掉其他正在用这个账号的客户端，或把它们的收信间隔"
    "调长。",
    # delivery
    "greylisted": "收件方要求陌生发件人过一会儿再投（灰名单）。不用处理，邮件服务器会自动重试；收件服务器是自己的话，"
    "把发件人加进白名单。",
    "relay_denied": "服务器不肯替我们转发。确认 config.yaml 里的 smtp 写的是发件人自己的发信服务器（465 或 587 端口）"
    "，并且能登录成功。",
    "sender_rejected": "服务器不接受这个发件地址，它必须属于登录的账号。核对 config.yaml 里的 address 和 username，并"
    "到管理后台查看账号别名。",
    "recipient_unknown": "收件人不存在。检查地址有没有写错；如果是自己的邮箱，到管理后台看看是不是改名或删除了。",
    "recipient_disabled": "收件人的邮箱不收信了。是自己的邮箱，就到管理后台启用；不是的话，换个方式联系对方。",
    "recipient_over_quota": "收件人的邮箱满了。是自己的邮箱，就到网页邮箱清理；不是的话，打电话或用微信告诉对方，稍后"
    "再发。",
    "recipient_domain_bad": "收件人的域名不收邮件。检查 @ 后面有没有写错；如果是自家域名，到 DNS 控制台检查 MX 记录。",
    "spf_fail": "SPF 没通过：发信服务器不在该域名的 SPF 记录里。到 DNS 控制台，把服务商帮助页给出的 include 加进那条 "
    "v=spf1 记录。",
    "dkim_fail": "DKIM 签名没有或不对。到邮箱管理后台打开 DKIM，再把那里显示的 TXT 记录与 DNS 控制台里的逐字核对。",
    "dmarc_reject": "发件域名没通过验证（DMARC），被收件方拒收。要让发件人域名的 SPF 或 DKIM 至少通过一项，先看这个域"
    "名的 DNS 检查结果。",
    "ip_blocklisted": "发信服务器的 IP 进了黑名单，名单见原文。到该名单网站查询，先消除原因，再申请移除；用的是托管邮"
    "箱，就把原文发给服务商。",
    "content_rejected_spam": "收件方当成垃圾邮件拒收了。请对方管理员放行发件人；如果正常邮件也被拒，检查 SPF、DKIM、"
    "DMARC，以及信里的链接和用词。",
    "content_malformed": "收件方认为邮件格式有问题。看看中间有没有会改写邮件的网关（加免责声明、杀毒），把原文发给它的"
    "管理员。",
    "attachment_rejected": "附件类型被拒。换一种格式，或改发下载链接；加密压缩包也常常会被拒。",
    "message_too_large": "邮件超过服务器的大小限制。大文件改发下载链接，或请邮箱管理员调高上限。",
    "policy_rejected": "服务器按自己的规则拒绝了。看原文，里面往往有链接或代码，发给服务商；如果是对方服务器拒的，发给"
    "对方的邮箱管理员。",
    "routing_loop": "邮件在来回打转。检查两边邮箱的自动转发规则，并到 DNS 控制台确认 MX 记录指向邮箱真正所在的服务器。",
    "remote_unreachable": "发信服务器连不上收件方的服务器，会自动重试。查一下收件人域名的 MX 记录，再看看发给别人的邮"
    "件是否正常。",
    "submission_uncertain": "邮件刚交出去连接就断了，可能发出了，也可能没有。重发之前先看“已发送”；下一次收发测试会更"
    "清楚。",
    "message_late": "测试邮件还没到，可能还在路上：如果只是在途，下一次运行会有结论；如果总是迟到，看该对象页面上每一跳"
    "的耗时，是哪一段压着邮件，就找哪一方。",
    "message_lost": "测试邮件一直没到。到收件邮箱查垃圾箱、隔离区和过滤规则，到发件邮箱查退信；再把时间和收发两个地址"
    "发给服务商。",
    "message_in_junk": "邮件到了，但进了垃圾箱。把它标为“不是垃圾邮件”，把发件人加进白名单，再检查发件域名的 SPF、"
    "DKIM 和 DMARC。",
    "message_altered": "邮件在途中被改过。看看有没有会加免责声明、改写链接或扫描附件的网关，这类改动会让 DKIM 失效。",
    "message_duplicated": "同一封邮件收到了不止一次。检查收件邮箱的转发和过滤规则，以及是否有第二条投递途径，比如群组"
    "地址或 POP3 代收。",
    "bounced": "邮件被退回。到发件邮箱打开退信，带三段数字代码（如 5.1.1）的那一行就是原因，按它处理，或者把它发给服务"
    "商。",
    # mailbox
    "folder_missing": "文件夹不存在。把 config.yaml 里的 folders 与网页邮箱逐字核对；有的邮箱要在设置里勾选后，客户端"
    "才看得到该文件夹。",
    "folder_exists": "文件夹已经存在，没有丢东西。如果碍事，到网页邮箱里改名或删除。",
    "message_missing": "邮件还没读到就不见了。看看这个账号有没有过滤规则，或者会移动邮件、收完就删的客户端。",
    "no_permission": "账号没有这个权限。请邮箱管理员授权（共享文件夹需要读取和删除权限），或者从 config.yaml 里去掉这"
    "个文件夹。",
    "unsupported_operation": "服务器不支持这个操作。问问服务商能不能开通；不能的话，从 config.yaml 里去掉这个邮箱的相"
    "应设置。",
    "replies_overdue": "客户来信超过约定时间还没回复。打开邮箱，从最早的一封开始回，或请同事代为处理。",
    # exporter
    "config": "有一项设置不对，原文里写了是哪一项。改好 config.yaml，用 mailprobe --config.check 检查一遍，再重新加载"
    "。",
    "local_error": "本机自己出了问题，原文里写了是哪个文件、端口或限制。确认 mailprobe 的运行用户有读取权限，磁盘、内"
    "存和可打开文件数没有用尽。",
    "unknown": "服务器说的话 mailprobe 还不认识。先看原文，再到网页邮箱做同样的操作试试；请把原文反馈给本项目，下次就"
    "能认出来。",
    "bug": "这是 mailprobe 自己的问题，不是邮件的问题。请附上这次检查的日志和 mailprobe --version 的输出来报告。",
}

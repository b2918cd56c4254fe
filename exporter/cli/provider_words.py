"""The texts of `mailprobe providers` in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "unknown": "{what}: no provider is recognised.",
        "silent": "Only the domain was looked at: the DNS gives no answer ({why}).",
        "mx_is": "Its MX is {hosts}: that of no provider known here.",
        "mx_none": "It has no MX.",
        "by": "Recognised by",
        "by_id": "its id",
        "by_domain": "the domain {evidence}",
        "by_host": "the host name {evidence}",
        "by_mx": "its MX {evidence}",
        "by_cname": "the name {evidence}, which its imap or mail host stands for (CNAME)",
        "successor": "Successor",
        "password": "Password",
        "made_at": "Made at",
        "help": "Help",
        "quirks": "Good to know",
        "stanza": "For config.yaml:",
        "tls": "TLS",
        "starttls": "STARTTLS",
        "unverified": "(unverified: used only with security written)",
        "idle_timeout": "an idle connection is dropped after {seconds:g} s: something is said before",
        "visible_after": "a delivered mail may take {seconds:g} s to be seen: give a route's late_after more",
    },
    "zh": {
        "unknown": "{what}：未识别出服务商。",
        "silent": "仅查看了域名本身：DNS 没有应答（{why}）。",
        "mx_is": "其 MX 为 {hosts}，不属于已知服务商。",
        "mx_none": "没有 MX 记录。",
        "by": "识别依据",
        "by_id": "标识",
        "by_domain": "域名 {evidence}",
        "by_host": "主机名 {evidence}",
        "by_mx": "MX 记录 {evidence}",
        "by_cname": "其 imap 或 mail 主机名的别名目标 {evidence}（CNAME）",
        "successor": "已由其取代",
        "password": "密码",
        "made_at": "获取位置",
        "help": "帮助",
        "quirks": "注意事项",
        "stanza": "可粘贴到 config.yaml：",
        "tls": "TLS",
        "starttls": "STARTTLS",
        "unverified": "（未经核实：仅在写明 security 时使用）",
        "idle_timeout": "空闲连接 {seconds:g} 秒后被断开：在此之前会发出命令",
        "visible_after": "邮件送达后最多 {seconds:g} 秒才可见：请相应放宽链路的 late_after",
    },
}

LOGINS: Mapping[str, Mapping[str, str]] = {
    "authorization_code": {
        "en": "an authorization code, made in the settings of the web mail: not the password",
        "zh": "客户端授权码，在网页邮箱的设置中生成；不是登录密码",
    },
    "full_password": {"en": "the mailbox's password", "zh": "邮箱登录密码"},
    "full_password_or_authorization_code": {
        "en": "the mailbox's password, or an authorization code where one is required",
        "zh": "邮箱登录密码；如服务商要求，则用客户端授权码",
    },
    "full_password_or_client_password": {
        "en": "the mailbox's password, or the client password where that is switched on",
        "zh": "邮箱登录密码；如已启用，则用客户端专用（安全）密码",
    },
    "full_password_or_app_password": {
        "en": "the mailbox's password, or an app password with two-step login",
        "zh": "邮箱登录密码；启用两步验证时用应用专用密码",
    },
    "app_password": {"en": "an app password: the account's own is refused", "zh": "应用专用密码；账号密码会被拒绝"},
    "oauth2_or_app_password": {
        "en": "an app password, or OAuth 2: the account's own password is refused",
        "zh": "应用专用密码或 OAuth 2；账号密码会被拒绝",
    },
    "oauth2_only": {"en": "none: OAuth 2 alone is accepted", "zh": "不接受任何密码，仅支持 OAuth 2"},
    "oauth2_or_password_unverified": {
        "en": "OAuth 2; whether a password still works was not verified",
        "zh": "OAuth 2；密码登录是否可用未经核实",
    },
    "client_password": {
        "en": "a password for mail programs, made in the settings",
        "zh": "在设置中生成的客户端专用密码",
    },
    "bridge_password": {"en": "the password that the bridge program shows", "zh": "桥接程序（Bridge）显示的密码"},
}

FLAGS: Mapping[str, Mapping[str, str]] = {
    "needs_id": {
        "en": "the client must introduce itself (ID, RFC 2971) after the login: done by itself",
        "zh": "登录后客户端须发送 ID 命令（RFC 2971）：自动完成",
    },
    "no_sasl_ir": {
        "en": "a login in one step (SASL-IR) is offered and refused: not used",
        "zh": "虽宣称支持 SASL-IR 却会拒绝：不使用",
    },
    "no_idle": {"en": "new mail is not announced (IDLE): asked for instead", "zh": "不会推送新邮件（IDLE）：改为轮询"},
    "search_unreliable": {"en": "SEARCH is not to be believed: never used", "zh": "SEARCH 结果不可靠：从不使用"},
    "status_omits_uidnext": {
        "en": "STATUS does not tell whether mail has come: the folder is opened",
        "zh": "STATUS 不能反映是否有新邮件：改为打开文件夹查看",
    },
    "imap_user_is_local_part": {
        "en": "the IMAP user name is the part before @: done by itself",
        "zh": "IMAP 用户名为 @ 之前的部分：自动处理",
    },
    "subdomains": {"en": "the subdomains of its domains are its own too", "zh": "其域名的子域名也归它所有"},
    "local_bridge": {
        "en": "has no server on the internet: its bridge program must run on this machine",
        "zh": "没有公网服务器：须在本机运行其桥接程序（Bridge）",
    },
    "decided_by_mx": {
        "en": "has no servers of its own: the domain's MX tells whose they are",
        "zh": "没有自己的服务器：由域名的 MX 决定",
    },
}

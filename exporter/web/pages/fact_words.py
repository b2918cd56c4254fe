"""What the facts of a run are called, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model import FactName

_LABELS: Mapping[FactName, tuple[str, str]] = {
    FactName.ADDRESS: ("Server’s address", "服务器地址"),
    FactName.SOURCE_ADDRESS: ("Our address", "本机地址"),
    FactName.BETTER_HOST: ("Where the mailbox lives", "邮箱实际所在服务器"),
    FactName.GREETING: ("Greeting", "问候语"),
    FactName.CAPABILITIES: ("Capabilities", "服务器能力"),
    FactName.MECHANISM: ("Login by", "登录方式"),
    FactName.CERT_VALID: ("Verification", "验证结果"),
    FactName.CERT_NOT_BEFORE: ("Valid from", "生效时间"),
    FactName.CERT_NOT_AFTER: ("Expires", "到期时间"),
    FactName.CHAIN_NOT_AFTER: ("Chain expires", "证书链到期时间"),
    FactName.CERT_SUBJECT: ("Issued to", "颁发对象"),
    FactName.CERT_ISSUER: ("Issued by", "颁发机构"),
    FactName.CERT_NAMES: ("For the names", "适用域名"),
    FactName.CERT_FINGERPRINT: ("Fingerprint (SHA-256)", "指纹（SHA-256）"),
    FactName.OAUTH_EXPIRY: ("Access token ends", "访问令牌到期时间"),
    FactName.SMTP_SIZE_LIMIT: ("Largest mail", "邮件大小上限"),
    FactName.QUOTA_USED_BYTES: ("Space used", "已用空间"),
    FactName.QUOTA_USED_MESSAGES: ("Mails used", "已用邮件数"),
    FactName.MAILDROP_MESSAGES: ("POP3 maildrop", "POP3 收件箱"),
    FactName.HTTP_STATUS: ("HTTP status", "HTTP 状态码"),
    FactName.HTTP_LOCATION: ("Redirects to", "重定向到"),
    FactName.ROUNDTRIP_SENT: ("Sent in this run", "本次已发送"),
    FactName.ROUNDTRIP_RECEIVED: ("From sending to being there", "从发出到收到"),
    FactName.ROUNDTRIP_LATE: ("Late", "迟到"),
    FactName.ROUNDTRIP_LOST: ("Lost", "丢失"),
    FactName.ROUNDTRIP_DUPLICATED: ("Came more than once", "重复送达"),
    FactName.ROUNDTRIP_MISFILED: ("Filed as junk", "被归入垃圾箱"),
    FactName.ROUNDTRIP_ALTERED: ("Altered on the way", "途中被改动"),
    FactName.ROUNDTRIP_BOUNCED: ("Came back", "被退回"),
    FactName.ROUNDTRIP_IN_FLIGHT: ("Under way", "在途"),
}

TOLD_WITH_OTHERS = frozenset(
    {
        FactName.FAMILY,
        FactName.TLS_VERSION,
        FactName.TLS_CIPHER,
        FactName.QUOTA_LIMIT_BYTES,
        FactName.QUOTA_LIMIT_MESSAGES,
        FactName.MAILDROP_BYTES,
        FactName.FOLDER_NAME,
        FactName.FOLDER_MESSAGES,
        FactName.FOLDER_UNSEEN,
        FactName.FOLDER_NEWEST,
        FactName.DNS_LOOKUP,
        FactName.DNS_LOOKUP_SECONDS,
        FactName.DNS_RECORDS,
        FactName.DNS_TEXT,
        FactName.DNS_LAST_CHANGE,
        FactName.DNS_POLICY_VALID,
        FactName.DKIM_KEY_BITS,
        FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
        FactName.ROUNDTRIP_HOP_DELAY,
        FactName.ROUNDTRIP_AUTHENTICATION,
    }
)
"""Facts without a name of their own: they stand in the row of another, or their label names the row."""

_WORDS: Mapping[str, tuple[str, str]] = {
    "certificate": ("Certificate", "证书"),
    "connection": ("Connection", "连接"),
    "mailbox": ("Mailbox", "邮箱"),
    "dns": ("DNS records", "DNS 记录"),
    "round_trip": ("Round trip", "收发往返"),
    "when": ("{time} ({distance})", "{time}（{distance}）"),
    "verifies": ("chain and name are right", "证书链与域名均有效"),
    "fails": ("does not verify", "验证不通过"),
    "expired": ("expired", "已过期"),
    "unlimited": ("no limit", "不限"),
    "of": ("{used} of {limit} ({percent} %)", "{used} / {limit}（{percent}%）"),
    "messages": ("{count} mails", "{count} 封邮件"),
    "unseen": ("{count} unread", "{count} 封未读"),
    "newest": ("newest {at}", "最新一封 {at}"),
    "no_answer": ("no answer", "无应答"),
    "no_record": ("none", "无记录"),
    "valid": ("valid", "有效"),
    "invalid": ("missing or wrong", "缺失或有误"),
    "answered_in": ("answered in {span}", "应答耗时 {span}"),
    "changed": ("changed {at}", "变更于 {at}"),
    "dkim_key": ("DKIM key {selector}", "DKIM 密钥 {selector}"),
    "bits": ("{bits} bits", "{bits} 位"),
    "hop": ("Delay {hop}", "{hop}延迟"),
    "oldest": ("the oldest since {at}", "最早一封发于 {at}"),
    "passed": ("passed", "通过"),
    "not_passed": ("not passed", "未通过"),
}
_FOLDERS: Mapping[str, tuple[str, str]] = {
    "inbox": ("Inbox", "收件箱"),
    "sent": ("Sent", "已发送"),
    "junk": ("Junk", "垃圾箱"),
    "trash": ("Trash", "已删除"),
    "drafts": ("Drafts", "草稿箱"),
    "archive": ("Archive", "归档"),
}
_HOPS: Mapping[str, tuple[str, str]] = {
    "sender": ("at the sender", "发送方"),
    "relay": ("in between", "中转"),
    "receiver": ("at the receiver", "接收方"),
}
_RECORDS: Mapping[str, str] = {"mta_sts": "MTA-STS", "tls_rpt": "TLS-RPT"}


class FactWords:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        self._index = 1 if language == "zh" else 0
        self.comma = "、" if self._index else ", "
        self.dot = " · "

    def __call__(self, key: str, **places: object) -> str:
        pair = _LABELS.get(key) if isinstance(key, FactName) else _WORDS.get(key)
        if pair is None:
            raise KeyError(key)
        return pair[self._index].format(**places)

    def folder(self, role: str) -> str:
        pair = _FOLDERS.get(role, ("Folder", "文件夹"))
        return pair[self._index]

    def hop(self, hop: str) -> str:
        pair = _HOPS.get(hop)
        return pair[self._index] if pair else hop

    def record(self, kind: str) -> str:
        """What a record type or policy is called: SPF, MX, MTA-STS."""
        return _RECORDS.get(kind, kind.upper())

    def method(self, method: str) -> str:
        """What a check of a mail's sender is called; the receiver's own, but for the last."""
        if method == "dkim_verified":
            return ("DKIM, verified by us", "DKIM（本机验证）")[self._index]
        return ("{kind}, says the receiver", "{kind}（接收方判定）")[self._index].format(kind=self.record(method))

"""What a support ticket says, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from exporter.outputs.ticket.evidence import Says, Statement

_SENTENCES: Mapping[Says, tuple[str, str]] = {
    Says.REACHED: (
        "Name resolution, network and firewall: {server} was reached at {address}.",
        "域名解析、网络与防火墙正常：已连接到 {server}（{address}）。",
    ),
    Says.ENCRYPTED: (
        "TLS: {version} with {cipher}; the server’s certificate is trusted and its name is right.",
        "TLS 正常：{version}，{cipher}；服务器证书可信且名称相符。",
    ),
    Says.ENDPOINT_WORKS: (
        "The server as such: {server} answers and greets without a login (checked {at}).",
        "服务器本身正常：{server} 在不登录的情况下可连接并问候（检查时间 {at}）。",
    ),
    Says.DOMAIN_WORKS: (
        "DNS: the records of {domain} are present and valid (checked {at}).",
        "DNS 正常：{domain} 的记录齐全且有效（检查时间 {at}）。",
    ),
    Says.ACCOUNT_WORKS: (
        "User name and password: the same ones are accepted by {probe} at {server} ({at}).",
        "用户名与密码正确：{server} 的 {probe} 以同一凭据登录成功（{at}）。",
    ),
    Says.PROBE_WORKS: (
        "{probe} of the same account at {server} works ({at}).",
        "同一账号在 {server} 的 {probe} 正常（{at}）。",
    ),
    Says.NEIGHBOURS_WORK: (
        "The server for everybody: {count} of {total} other mailboxes on {server} work from here.",
        "并非全体用户故障：从本机检查，{server} 上其他 {total} 个邮箱中有 {count} 个正常。",
    ),
    Says.OTHERS_WORK: (
        "Our own network: {count} of {total} other servers answer from here.",
        "本机网络正常：其他 {total} 台服务器中有 {count} 台可正常应答。",
    ),
    Says.ENDPOINT_FAILS: (
        "{server} fails without a login, too: {reason}.",
        "不登录时 {server} 同样失败：{reason}。",
    ),
    Says.DOMAIN_FAILS: ("The DNS check of {domain} fails, too: {reason}.", "{domain} 的 DNS 检查同样失败：{reason}。"),
    Says.NEIGHBOURS_FAIL: (
        "{count} of {total} other mailboxes on {server} fail, too.",
        "{server} 上其他 {total} 个邮箱中有 {count} 个同样失败。",
    ),
}

_WORDS: Mapping[str, tuple[str, str]] = {
    "title_failing": ("{probe} of {account} fails: {reason}", "{account} 的 {probe} 失败：{reason}"),
    "title_recovered": (
        "{probe} of {account} failed and works again: {reason}",
        "{account} 的 {probe} 曾失败，现已恢复：{reason}",
    ),
    "title_inconclusive": (
        "{probe} of {account} cannot be judged: {reason}",
        "{account} 的 {probe} 无法判断：{reason}",
    ),
    "title_working": ("{account}: no failure is known", "{account}：未发现故障"),
    "title_waiting": ("{account}: no check has finished yet", "{account}：尚无检查结果"),
    "request": (
        "Please find out why, and tell us what you did. All times, steps and answers are below.",
        "请协助查明原因并告知处理结果。时间、步骤与服务器原文如下。",
    ),
    "account_section": ("Account", "账号"),
    "account": ("Account", "账号"),
    "name": ("Known to us as", "本方名称"),
    "domain": ("Domain", "域名"),
    "provider": ("Provider", "服务商"),
    "server": ("Server", "服务器"),
    "error_section": ("Error: {probe}", "错误：{probe}"),
    "run_section": ("Last run: {probe}", "最近一次运行：{probe}"),
    "time": ("Time", "时间"),
    "step": ("Failed in step", "失败步骤"),
    "code": ("Error code", "错误代码"),
    "words": ("Complete text", "完整原文"),
    "no_words": ("(the server said nothing)", "（服务器未返回任何文字）"),
    "reason": ("Our diagnosis", "本方诊断"),
    "ambiguous": ("One of", "可能原因"),
    "run": ("Run", "运行编号"),
    "steps": ("Steps", "步骤"),
    "failed_here": ("failed here", "在此失败"),
    "dialogue": ("Dialogue (credentials masked; seconds since the start)", "会话记录（凭据已隐藏；秒数自开始计）"),
    "suspended": (
        "Logins are paused since the refusals, so that the account is not locked",
        "登录被拒后已暂停登录，以免账号被锁",
    ),
    "environment_section": ("Environment", "环境"),
    "client": ("Client", "客户端"),
    "our_address": ("Our address", "本机地址"),
    "our_address_note": (
        "{address} ({family}; behind address translation the server sees another one)",
        "{address}（{family}；经过地址转换时服务器看到的是另一个地址）",
    ),
    "server_address": ("Server’s address", "服务器地址"),
    "mechanism": ("Login mechanism", "登录机制"),
    "tls": ("TLS", "TLS"),
    "certificate": ("Certificate", "证书"),
    "issuer": ("Issued by", "颁发者"),
    "valid_until": ("Valid until", "有效期至"),
    "fingerprint": ("SHA-256", "SHA-256 指纹"),
    "greeting": ("Greeting", "问候语"),
    "capabilities": ("Capabilities", "服务器能力"),
    "ruled_out_section": ("Ruled out", "已排除"),
    "also_section": ("Also seen", "同时发现"),
    "nothing_ruled_out": ("(nothing yet)", "（暂无）"),
    "history_section": ("History", "历史"),
    "failing_since": ("{probe}: failing since {at}", "{probe}：自 {at} 起失败"),
    "working_since": ("{probe}: working since {at}", "{probe}：自 {at} 起正常"),
    "runs": (
        "{probe}: {failed} of the last {count} runs failed (since {at})",
        "{probe}：最近 {count} 次运行中失败 {failed} 次（自 {at} 起）",
    ),
    "first_failure": ("{probe}: first failure seen {at}", "{probe}：最早失败 {at}"),
    "last_failure": ("{probe}: last failure {at}", "{probe}：最近失败 {at}"),
    "last_success": ("{probe}: last success {at}", "{probe}：最近成功 {at}"),
    "no_success": ("{probe}: no success is remembered", "{probe}：无成功记录"),
    "no_runs": ("{probe}: no run has finished yet", "{probe}：尚无运行结果"),
    "made": ("Written by {client}, {at}.", "由 {client} 生成，{at}。"),
}


class TicketWords:
    """The words of one language. `zone`: where local times are local; None is this machine's."""

    def __init__(self, language: str, zone: tzinfo | None = None) -> None:
        self.language = "zh" if language == "zh" else "en"
        self._index = 1 if self.language == "zh" else 0
        self._zone = zone

    def __call__(self, key: str, **places: object) -> str:
        return _WORDS[key][self._index].format(**places)

    @property
    def colon(self) -> str:
        """What stands between a label and its value."""
        return "：" if self.language == "zh" else ": "

    def pick(self, pair: tuple[str, str]) -> str:
        """The one of (en, zh) in this language."""
        return pair[self._index]

    def sentence(self, statement: Statement) -> str:
        places = dict(statement.words)
        if statement.at:
            places["at"] = self.local(statement.at)
        return _SENTENCES[statement.says][self._index].format(**places)

    def local(self, at: float) -> str:
        """2026-01-31 09:30:00 +08:00 CST; the zone's name where it has one."""
        moment = datetime.fromtimestamp(at, self._zone) if self._zone else datetime.fromtimestamp(at).astimezone()
        offset = moment.isoformat(timespec="seconds")[19:]
        if not moment.utcoffset():
            return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        name = moment.tzname() or ""
        return f"{moment:%Y-%m-%d %H:%M:%S} {offset}" + (f" {name}" if name.isalpha() else "")

    def both(self, at: float) -> str:
        """Local and UTC, once where they are the same."""
        local, universal = self.local(at), f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return local if local == universal else f"{local} = {universal}"


def utc(at: float) -> str:
    """As RFC 3339 has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

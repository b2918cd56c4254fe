"""What the pages say, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})

_WORDS: dict[str, tuple[str, str]] = {
    "status": ("Mail status", "邮件服务状态"),
    "all_ok": ("All checks are working", "全部检查正常"),
    "some_failing": ("{failing} of {total} checks are failing", "{total} 项检查中有 {failing} 项失败"),
    "nothing_yet": ("Waiting for the first results", "正在等待首批结果"),
    "no_targets": ("Nothing is watched yet", "尚未配置任何检查对象"),
    "no_targets_hint": (
        "Add a mailbox to config.yaml and reload: mailprobe takes the change without a restart.",
        "请在 config.yaml 中添加邮箱并重新加载，无需重启。",
    ),
    "inconclusive_count": ("{count} inconclusive", "{count} 项无法判定"),
    "waiting_count": ("{count} waiting", "{count} 项等待中"),
    "ok_count": ("{count} working", "{count} 项正常"),
    "incidents": ("Incidents", "事件"),
    "resolved": ("Resolved", "已恢复"),
    "affected": ("{count} affected", "影响 {count} 个对象"),
    "no_incident": ("No incident of this kind is open.", "目前没有此类未恢复的事件。"),
    "causes": ("Causes", "原因"),
    "more_causes": ("and {count} more", "另有 {count} 个原因"),
    "vantage": (
        "Our own network: {answering} of {of} references answer.",
        "本机网络：{of} 个参照点中有 {answering} 个应答。",
    ),
    "vantage_off": (
        "Our own network is not watched: vantage in config.yaml has no references.",
        "未监测本机网络：config.yaml 的 vantage 没有配置参照点。",
    ),
    "updated": ("As of {time}, renewed every 30 seconds", "截至 {time}，每 30 秒刷新"),
    "skip": ("Skip to the content", "跳到正文"),
    "pages": ("Pages", "页面"),
    "metrics": ("Metrics", "指标"),
    "config": ("Config", "配置"),
    "target": ("Target", "对象"),
    "check": ("Check", "检查"),
    "state": ("State", "状态"),
    "since": ("Since", "起始时间"),
    "took": ("Took", "耗时"),
    "finding": ("Finding", "诊断"),
    "ok": ("OK", "正常"),
    "failed": ("FAILING", "失败"),
    "inconclusive": ("UNCLEAR", "无法判定"),
    "waiting": ("WAITING", "等待首次结果"),
    "stale": ("NO NEWS", "无新结果"),
    "in_phase": ("in step", "步骤"),
    "server_said": ("The server’s words", "服务器原文"),
    "detail": ("Detail", "详情"),
    "answer_to": ("(answer to the {protocol} login)", "（{protocol} 登录时的答复）"),
    "certificate": ("Certificate’s names and dates", "证书的名字和有效期"),
    "config_error": (
        "The running configuration is not the file’s: {text}",
        "正在使用的配置与文件不一致：{text}",
    ),
    "remedy": ("What to do", "处理办法"),
    "ambiguous": ("These words have several causes", "这段话对应多种原因"),
    "waiting_helps": ("May pass by itself.", "可能会自行恢复。"),
    "suspended": (
        "No password is sent until {time}, so that the account is not locked.",
        "为避免账号被锁定，{time} 之前不再发送密码。",
    ),
    "filter": ("Filter by name", "按名称筛选"),
    "apply": ("Filter", "筛选"),
    "no_match": ("No target’s name contains “{query}”.", "没有名称包含“{query}”的对象。"),
    "previous": ("Previous page", "上一页"),
    "next": ("Next page", "下一页"),
    "page": ("Page {page} of {pages}", "第 {page} 页，共 {pages} 页"),
    "kind": ("Kind", "类型"),
    "provider": ("Provider", "服务商"),
    "domain": ("Domain", "域名"),
    "steps": ("Steps", "步骤耗时"),
    "facts": ("Facts", "采集数据"),
    "runs": ("Recent runs, newest first", "最近运行（新的在前）"),
    "transcript": ("Transcript, credentials masked", "会话记录（凭据已隐藏）"),
    "no_result": ("No run has finished yet.", "尚无运行结果。"),
    "last_run": ("Last run", "上次运行"),
    "interval": ("Interval", "间隔"),
    "run_now": ("Run now", "立即运行"),
    "report": ("Report for the provider’s support desk", "提交给服务商的故障报告"),
    "report_show": ("Show", "展开"),
    "report_hint": ("Select and copy, or as a file:", "选中复制，或打开："),
    "as_text": ("As text", "纯文本"),
    "back": ("All targets", "全部对象"),
    "ago": ("{span} ago", "{span}前"),
    "not_found": ("There is nothing at this address", "此地址没有内容"),
    "not_found_hint": ("The target may have left the config.", "该对象可能已从配置中移除。"),
    "mailbox": ("mailbox", "邮箱"),
    "endpoint": ("server", "服务器"),
    "route": ("route", "收发链路"),
    "seconds": ("{n} s", "{n} 秒"),
    "minutes": ("{n} min", "{n} 分钟"),
    "hours": ("{n} h", "{n} 小时"),
    "days": ("{n} d", "{n} 天"),
}


class Words:
    """The words of one language. `words("key", n=1)` fills the places in."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "en"
        self._index = list(LANGUAGES).index(self.language)

    @property
    def tag(self) -> str:
        """The page's language as BCP 47 names it."""
        return "zh-Hans" if self.language == "zh" else "en"

    def __call__(self, key: str, **places: object) -> str:
        return _WORDS[key][self._index].format(**places)

    def span(self, seconds: float) -> str:
        """A length of time in words, roughly."""
        for key, size, limit in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
            if seconds / size < limit:
                return self(key, n=max(round(seconds / size), 0))
        return self("days", n=round(seconds / 86400))

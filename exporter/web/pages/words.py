"""What the pages say, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})

_WORDS: dict[str, tuple[str, str]] = {
    "status": ("Mail status", "邮件服务状态"),
    "all_ok": ("All {total} targets are working", "全部 {total} 个对象正常"),
    "some_failing": ("{failing} of {total} targets are failing", "{total} 个对象中有 {failing} 个失败"),
    "some_ok": ("{count} of {total} targets are working", "{total} 个对象中有 {count} 个正常"),
    "nothing_yet": ("Waiting for the first results", "正在等待首批结果"),
    "no_targets": ("Nothing is watched yet", "尚未配置任何检查对象"),
    "no_targets_hint": (
        "Add a mailbox to config.yaml and reload: mailprobe takes the change without a restart.",
        "请在 config.yaml 中添加邮箱并重新加载，无需重启。",
    ),
    "updated": ("As of {time}", "截至 {time}"),
    "checks": ("{count} checks", "{count} 项检查"),
    "vantage": (
        "Our own network: {answering} of {of} references answer.",
        "本机网络：{of} 个参照点中有 {answering} 个应答。",
    ),
    "vantage_off": (
        "Our own network is not watched: vantage in config.yaml has no references.",
        "未监测本机网络：config.yaml 的 vantage 没有配置参照点。",
    ),
    "renewed": ("Renewed every {seconds} s.", "每 {seconds} 秒自动刷新。"),
    "paused": ("Not renewed by itself.", "自动刷新已暂停。"),
    "pause": ("Pause", "暂停"),
    "resume": ("Go on", "恢复"),
    "lost": (
        "This page could not be renewed: what you see may be out of date.",
        "页面未能刷新：您看到的内容可能已经过时。",
    ),
    "causes": ("Why", "故障原因"),
    "scope_target": ("Target", "对象"),
    "scope_domain": ("Domain", "域名"),
    "scope_host": ("Server", "服务器"),
    "scope_provider": ("Provider", "服务商"),
    "scope_vantage": ("Our side", "本机"),
    "show_target": ("Details", "查看详情"),
    "show_targets": ("{count} targets", "{count} 个对象"),
    "show_affected": ("All that it affects", "查看全部受影响的对象"),
    "wider": ("Part of a wider cause", "属于更大范围的故障"),
    "runbook_of": ("Runbook {alert}", "值班手册 {alert}"),
    "runbook": ("Runbook", "值班手册"),
    "about_reason": ("About it", "了解原因"),
    "reserved": ("reserved: nothing reports it yet", "预留：目前还没有检查会报告它"),
    "targets": ("Targets", "检查对象"),
    "all": ("All", "全部"),
    "any": ("any", "不限"),
    "filter_state": ("Filter by state", "按状态筛选"),
    "filter_text": ("Search", "搜索"),
    "filter_hint": ("name, domain, server, label", "名称、域名、服务器、标签"),
    "filter_kind": ("Kind", "类型"),
    "filter_provider": ("Provider", "服务商"),
    "filter_label": ("Label", "标签"),
    "apply": ("Filter", "筛选"),
    "clear": ("Clear", "清除筛选"),
    "only_cause": ("Only what this cause affects:", "仅显示受此原因影响的对象："),
    "cause_gone": ("it is over.", "该故障已恢复。"),
    "no_match": ("No target matches.", "没有符合条件的对象。"),
    "provider_unknown": ("not known", "未识别"),
    "checked": ("Checks", "检查"),
    "pages_of_table": ("Pages of the table", "表格分页"),
    "not_watched": ("Not watched yet", "尚未开始检查"),
    "notices": ("What the DNS says", "DNS 提示"),
    "and_more": ("and {count} more", "另有 {count} 个"),
    "incidents_lead": (
        "What is wrong now, and what was put right in the last quarter of an hour.",
        "当前未恢复的事件，以及最近一刻钟内已恢复的事件。",
    ),
    "no_incidents": ("No incident is open.", "目前没有未恢复的事件。"),
    "open": ("OPEN", "未恢复"),
    "severity_critical": ("critical", "严重"),
    "severity_warning": ("warning", "警告"),
    "severity_info": ("info", "提示"),
    "incidents": ("Incidents", "事件"),
    "resolved": ("Resolved", "已恢复"),
    "affected": ("{count} affected", "影响 {count} 个对象"),
    "no_incident": ("No incident of this kind is open.", "目前没有此类未恢复的事件。"),
    "more_causes": ("and {count} more", "另有 {count} 个原因"),
    "skip": ("Skip to the content", "跳到正文"),
    "shard": ("shard {shard} of {total}, counted from 0", "分片 {shard}（共 {total} 个，从 0 起）"),
    "elsewhere": ("Or another shard watches it.", "也可能由其他分片监测。"),
    "pages": ("Pages", "页面"),
    "metrics": ("Metrics", "指标"),
    "config": ("Config", "配置"),
    "target": ("Target", "对象"),
    "state": ("State", "状态"),
    "since": ("Since", "起始时间"),
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
    "config_error": (
        "The running configuration is not the file’s: {text}",
        "正在使用的配置与文件不一致：{text}",
    ),
    "state_error": (
        "mailprobe cannot write to its storage folder ({text}): look at the disk. A restart loses what is learned now.",
        "mailprobe 无法写入存储目录（{text}）：请检查磁盘。检查照常进行，但现在得到的信息会在重启后丢失。",
    ),
    "remedy": ("What to do", "处理办法"),
    "ambiguous": ("These words have several causes", "这段话对应多种原因"),
    "waiting_helps": ("May pass by itself.", "可能会自行恢复。"),
    "suspended": (
        "No password is sent until {time}, so that the account is not locked.",
        "为避免账号被锁定，{time} 之前不再发送密码。",
    ),
    "previous": ("Previous page", "上一页"),
    "next": ("Next page", "下一页"),
    "page": ("Page {page} of {pages}", "第 {page} 页，共 {pages} 页"),
    "kind": ("Kind", "类型"),
    "provider": ("Provider", "服务商"),
    "steps": ("Where the time went", "各步骤耗时"),
    "transcript": ("Transcript, credentials masked", "会话记录（凭据已隐藏）"),
    "median": ("Median", "中位数"),
    "slow": ("95th percentile", "95 百分位"),
    "worked": ("Worked", "成功"),
    "of_runs": ("{working} of the last {total}", "最近 {total} 次中 {working} 次"),
    "runs": ("Recent probes", "最近的检查"),
    "runs_table": ("Recent probes as a table", "最近的检查（表格）"),
    "latency_up_to": ("latency, up to {top}", "耗时，最高 {top}"),
    "latency_chart": ("Latency: {middle} in the median, {top} at most", "耗时：中位数 {middle}，最高 {top}"),
    "runs_chart": ("{working} of {total} probes worked", "{total} 次检查中 {working} 次成功"),
    "started": ("Started", "开始时间"),
    "took": ("Took", "耗时"),
    "run_done": ("The probe you asked for ended at {time}.", "您发起的检查已于 {time} 完成。"),
    "run_under_way": (
        "The probe you asked for at {time} is under way. This page looks again by itself.",
        "您于 {time} 发起的检查正在进行，页面会自动刷新。",
    ),
    "sign_ok": ("good:", "正常："),
    "sign_failed": ("bad:", "异常："),
    "sign_unclear": ("soon bad:", "注意："),
    "certificate_until": ("certificate until {date}", "证书有效期至 {date}"),
    "related": ("Depends on", "依赖"),
    "who_depends": ("Everything that uses {name}", "所有用到 {name} 的对象"),
    "report_show": ("Show the report", "显示报告"),
    "copy": ("Copy", "复制"),
    "copied": ("Copied", "已复制"),
    "refused": ("This was not asked from a page of ours", "请求并非来自本站页面"),
    "refused_hint": (
        "Only a button of these pages starts a probe. If you pressed one: set --web.external-url to your address.",
        "只有本站页面上的按钮可以发起检查。如果您确实按了按钮，请把 --web.external-url 设为浏览器地址栏中的网址。",
    ),
    "ahead": ("in {span}", "{span}后"),
    "no_result": ("No run has finished yet.", "尚无运行结果。"),
    "last_run": ("Last run", "上次运行"),
    "interval": ("Interval", "间隔"),
    "run_now": ("Probe now", "立即检查"),
    "report": ("Report for the provider’s support desk", "提交给服务商的故障报告"),
    "report_hint": ("Select and copy, or as a file:", "选中复制，或打开："),
    "as_text": ("As text", "纯文本"),
    "back": ("All targets", "全部对象"),
    "ago": ("{span} ago", "{span}前"),
    "not_found": ("There is nothing at this address", "此地址没有内容"),
    "not_found_hint": ("The target may have left the config.", "该对象可能已从配置中移除。"),
    "runbooks": ("Runbooks", "值班手册"),
    "runbooks_lead": (
        "What each alert means, how bad it is, where to look and what to do.",
        "每条告警是什么意思、影响多大、到哪里看、怎么处理。",
    ),
    "reasons": ("Reasons", "失败原因"),
    "reasons_lead": (
        "Every failure has one of these reasons. The lower layers stand first: they explain failures further down.",
        "每次失败只归为其中一个原因。越靠前越底层：底层出了问题，后面的也会跟着失败。",
    ),
    "layer_vantage": ("The place we look from", "观测点"),
    "layer_dns": ("Names and records", "域名解析与记录"),
    "layer_transport": ("Connection, TLS and protocol", "连接、TLS 与协议"),
    "layer_auth": ("Login", "登录"),
    "layer_capacity": ("Limits and space", "限额与容量"),
    "layer_delivery": ("Sending and arriving", "投递"),
    "layer_mailbox": ("Folders and messages", "文件夹与邮件"),
    "layer_exporter": ("mailprobe itself", "mailprobe 自身"),
    "mailbox": ("mailbox", "邮箱"),
    "domain": ("domain", "域名"),
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

    @property
    def gap(self) -> str:
        """Between two sentences."""
        return "" if self.language == "zh" else " "

    def __call__(self, key: str, **places: object) -> str:
        return _WORDS[key][self._index].format(**places)

    def span(self, seconds: float) -> str:
        """A length of time in words, roughly."""
        for key, size, limit in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
            if seconds / size < limit:
                return self(key, n=max(round(seconds / size), 0))
        return self("days", n=round(seconds / 86400))

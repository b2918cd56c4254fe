"""Names by which people know a provider, and the preset that each of them means.

A name that fits several presets is refused with all of them: the wrong one would be tried with the user's password.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

from exporter.config.presets import Preset, presets, provider_name
from exporter.config.problems import nearest
from exporter.model.servers import is_address

# Besides the ids, names and domains of the presets, which are aliases by themselves.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    # NetEase
    "163": ("netease_163",),
    "126": ("netease_126",),
    "yeah": ("netease_yeah",),
    "188": ("netease_188",),
    "网易163": ("netease_163",),
    "网易126": ("netease_126",),
    "netease": ("netease_163", "netease_126", "netease_yeah", "netease_qiye", "netease_qiye_hz"),
    "网易": ("netease_163", "netease_126", "netease_yeah", "netease_qiye", "netease_qiye_hz"),
    "网易邮箱": ("netease_163", "netease_126", "netease_yeah", "netease_qiye", "netease_qiye_hz"),
    "网易企业邮": ("netease_qiye", "netease_qiye_hz"),
    "网易企业邮箱": ("netease_qiye", "netease_qiye_hz"),
    "qiye163": ("netease_qiye", "netease_qiye_hz"),
    # Tencent
    "tencent": ("qq", "foxmail", "exmail", "exmail_overseas"),
    "腾讯": ("qq", "foxmail", "exmail", "exmail_overseas"),
    "腾讯邮箱": ("qq", "foxmail", "exmail", "exmail_overseas"),
    "qqmail": ("qq",),
    "qq邮箱": ("qq",),
    "腾讯企业邮": ("exmail", "exmail_overseas"),
    "腾讯企业邮箱": ("exmail", "exmail_overseas"),
    "企业微信邮箱": ("exmail", "exmail_overseas"),
    "wecom": ("exmail", "exmail_overseas"),
    # Alibaba
    "aliyun": ("aliyun_qiye", "mxhichina", "aliyun_personal"),
    "alibaba": ("aliyun_qiye", "mxhichina", "aliyun_personal", "alibaba_trade"),
    "阿里": ("aliyun_qiye", "mxhichina", "aliyun_personal", "alibaba_trade"),
    "阿里云": ("aliyun_qiye", "mxhichina", "aliyun_personal"),
    "阿里邮箱": ("aliyun_qiye", "mxhichina", "aliyun_personal"),
    "阿里企业邮箱": ("aliyun_qiye", "mxhichina"),
    "阿里云企业邮箱": ("aliyun_qiye", "mxhichina"),
    # Microsoft
    "microsoft": ("microsoft365", "microsoft365_cn", "outlook_com"),
    "微软": ("microsoft365", "microsoft365_cn", "outlook_com"),
    "outlook": ("outlook_com", "microsoft365"),
    "office365": ("microsoft365",),
    "o365": ("microsoft365",),
    "m365": ("microsoft365",),
    "exchangeonline": ("microsoft365",),
    "21vianet": ("microsoft365_cn",),
    "世纪互联": ("microsoft365_cn",),
    "hotmail": ("outlook_com",),
    # Google
    "google": ("gmail", "google_workspace"),
    "谷歌": ("gmail", "google_workspace"),
    "googlemail": ("gmail",),
    "gsuite": ("google_workspace",),
    "googleapps": ("google_workspace",),
    # others
    "新浪": ("sina", "sina_cn", "sina_vip", "sina_vip_cn", "sina_ent"),
    "新浪邮箱": ("sina", "sina_cn", "sina_vip", "sina_vip_cn", "sina_ent"),
    "搜狐": ("sohu", "sohu_vip", "sohu_ent"),
    "搜狐邮箱": ("sohu", "sohu_vip", "sohu_ent"),
    "263企业邮箱": ("263", "263_overseas", "263xmail"),
    "天翼": ("189",),
    "189邮箱": ("189",),
    "139邮箱": ("139",),
    "沃邮箱": ("wo",),
}


def resolve(name: str) -> str:
    """Return the id of the preset that a name means. Raises ValueError, with what could be meant."""
    if name in presets():
        return name
    found = meant_by(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"is the name of several providers: write {_or(found)}")
    raise ValueError(f"no such provider{_hint(name)}")


def meant_by(name: str) -> tuple[str, ...]:
    """Return the ids of the presets that a name can mean."""
    return _by_name().get(_key(name), ())


def search(words: str) -> list[Preset]:
    """Return the presets that an alias means, else those whose id, names, domains or servers contain each word.

    Words of one or two letters find nothing; two Chinese characters are a word.
    """
    known = meant_by(words)
    if known:
        return [presets()[each] for each in known]
    wanted = [_key(word) for word in words.split()]
    if not wanted or any(len(word) < (3 if word.isascii() else 2) for word in wanted):
        return []
    return [each for each in presets().values() if all(any(word in text for text in _texts(each)) for word in wanted)]


def _hint(name: str) -> str:
    """Suggest a near id. A number that differs in one digit is another provider, not a slip of the hand."""
    return "; see mailprobe providers" if _key(name).isdigit() or is_address(name) else nearest(name, presets())


def _or(ids: tuple[str, ...]) -> str:
    told = [f"{each} ({provider_name(each, 'zh')}, {provider_name(each, 'en')})" for each in ids]
    return f"{', '.join(told[:-1])} or {told[-1]}"


@cache
def _by_name() -> Mapping[str, tuple[str, ...]]:
    """Return the ids by name. What is in the table goes before the names and domains of the presets."""
    found: dict[str, dict[str, None]] = {}
    for preset in presets().values():
        for text in (preset.id, preset.name, preset.name_zh, *preset.domains):
            found.setdefault(_key(text), {})[preset.id] = None
    names = {name: tuple(ids) for name, ids in found.items()}
    return names | {_key(name): ids for name, ids in _ALIASES.items() if name not in presets()}


@cache
def _texts(preset: Preset) -> tuple[str, ...]:
    return tuple(_key(text) for text in _of(preset))


def _of(preset: Preset) -> Iterator[str]:
    yield from (preset.id, preset.name, preset.name_zh, *preset.domains, *preset.old_hosts)
    yield from (row.host for row in (*preset.imap, *preset.pop3, *preset.smtp))


def _key(name: str) -> str:
    """Return the name without what people write in different ways: case, width, blanks, dashes."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in plain if char not in " -_\t")

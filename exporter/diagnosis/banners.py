"""Recognises the server software, or a provider's own servers, from a greeting.

Out: names as `data/signatures.yaml` uses them, so that only matching signatures are tried.
"""

from __future__ import annotations

import re
from functools import lru_cache

# In this order: the provider says more than the software below it. The patterns are what these servers greet with.
_BANNERS: tuple[tuple[str, str], ...] = (
    ("gmail", r"\bGimap ready|\bGpop ready|\bgsmtp\b"),
    ("microsoft", r"Microsoft Exchange (?:IMAP4|POP3)|The Microsoft Exchange|Microsoft ESMTP MAIL Service"),
    ("exmail", r"\bexmail\.qq\.com\b|\bbizesmtp\b"),
    ("qq", r"\bQQ ?Mail\b|\.qq\.com\b"),
    ("netease_qiye", r"\bqiye\.163\.com\b|\bqiye163\b"),
    ("netease", r"\bCoremail\b|\b(?:163|126|188)com\b|\b(?:163|126|yeah|188)\.(?:com|net)\b"),
    ("aliyun", r"\bAli(?:Mail|yun)\b|\bAlibaba\b|\.mxhichina\.com\b|\.aliyun(?:-inc)?\.com\b"),
    ("yahoo", r"\.(?:yahoo|aol)\.com\b|\.yahoodns\.net\b"),
    ("icloud", r"\biCloud\b|\.(?:icloud|mail\.me)\.com\b|\.apple\.com\b"),
    ("yandex", r"\bYandex\b|\.yandex\.(?:ru|net|com)\b"),
    ("mailru", r"\.mail\.ru\b"),
    ("zoho", r"\bZoho\b"),
    ("fastmail", r"\bmessagingengine\.com\b|\bfastmail\b"),
    ("godaddy", r"\.secureserver\.net\b"),
    ("sina", r"\.sina\.(?:com|net|cn)\b|\bSINA\b"),
    ("sohu", r"\.sohu\.com\b"),
    ("21cn", r"\.21cn\.com\b"),
    ("tom", r"\.tom\.com\b"),
    ("dovecot", r"\bDovecot\b"),
    ("postfix", r"\bPostfix\b"),
    ("exim", r"\bExim\b"),
    ("cyrus", r"\bCyrus\b"),
    ("courier", r"\bCourier\b|^\+OK Hello there\b"),
)
_KNOWN = tuple((name, re.compile(banner, re.IGNORECASE | re.MULTILINE)) for name, banner in _BANNERS)
# A provider's servers have their own texts, but a few also use those of another family.
_ALSO = {"exmail": ("exmail", "qq"), "netease_qiye": ("netease_qiye", "netease")}


@lru_cache(maxsize=1024)
def software_of(greeting: str) -> tuple[str, ...]:
    """Return the names whose signatures apply to a server with this greeting; () if it tells nothing."""
    for name, banner in _KNOWN:
        if banner.search(greeting[:512]):
            return _ALSO.get(name, (name,))
    return ()

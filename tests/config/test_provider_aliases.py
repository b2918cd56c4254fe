"""Tests of the names by which people know providers: each means one preset, or none without a question."""

from __future__ import annotations

import pytest

from exporter.config.likely_slips import provider_slip
from exporter.config.presets import presets
from exporter.config.provider_aliases import meant_by, resolve, search, table


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("163", "netease_163"), ("126", "netease_126"), ("163.com", "netease_163"), ("网易163免费邮", "netease_163"),
        ("QQ", "qq"), ("QQ邮箱", "qq"), ("office365", "microsoft365"), ("Office 365", "microsoft365"),
        ("O365", "microsoft365"), ("googlemail", "gmail"), ("Gmail", "gmail"), ("hotmail.com", "outlook_com"),
        ("263", "263"), ("１６３", "netease_163"), ("microsoft-365", "microsoft365"), ("netease_163", "netease_163"),
    ],
)  # fmt: skip
def test_a_name_means_its_provider(name, provider):
    assert resolve(name) == provider


@pytest.mark.parametrize(
    "name",
    ["netease", "网易", "tencent", "腾讯企业邮箱", "aliyun", "outlook", "google", "新浪", "Microsoft", "网易企业邮"],
)
def test_a_name_of_several_providers_is_asked_about(name):
    with pytest.raises(ValueError, match="is the name of several providers: write ") as told:
        resolve(name)
    for each in meant_by(name):
        assert each in str(told.value)


@pytest.mark.parametrize("name", ["164", "262", "125", "10.0.0.1"])
def test_a_number_that_is_no_provider_is_not_answered_with_another_number(name):
    with pytest.raises(ValueError, match="no such provider; see mailprobe providers"):
        resolve(name)


def test_a_misspelt_id_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no such provider; did you mean netease_qiye\?"):
        resolve("netease_qye")


def test_every_alias_means_presets_that_there_are():
    assert {each for ids in table().values() for each in ids} <= set(presets())
    assert all(meant_by(preset.id) for preset in presets().values())


def test_words_find_providers_in_any_language():
    assert [each.id for each in search("exmail")] == ["exmail"]
    assert {"exmail", "exmail_overseas"} <= {each.id for each in search("exmail.qq.com")}
    assert "netease_qiye" in [each.id for each in search("网易 企业")]
    assert [each.id for each in search("office365")] == ["microsoft365"]
    assert "gmail" in [each.id for each in search("imap.gmail.com")]
    assert search("nonsense") == []


@pytest.mark.parametrize(
    ("address", "provider", "told"),
    [
        ("a@163.com", "gmail", "163.com is a domain of netease_163, not of gmail"),
        ("a@qq.com", "exmail", "qq.com is a domain of qq, not of exmail"),
        ("a@163.com", "netease_163", ""),
        ("a@company.example", "gmail", ""),
        ("a@163.com", "generic", ""),
    ],
)
def test_an_address_of_one_provider_with_the_preset_of_another_is_told(address, provider, told):
    assert provider_slip(address, provider).startswith(told)
    assert bool(provider_slip(address, provider)) is bool(told)

"""Tests of the folder for each role: the preset's, else the one marked by SPECIAL-USE, else the best-known name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from exporter.net import utf7
from exporter.net.imap.folders import Folder, by_role, find


def listed(*lines: str, delimiter: str = "/") -> list[Folder]:
    r"""Return folders from `name \Flag \Flag`, with names as people read them."""
    found = []
    for line in lines:
        name, *flags = line.split(" \\")
        found.append(Folder(utf7.encode(name), name, frozenset("\\" + flag.lower() for flag in flags), delimiter))
    return found


def roles(folders: list[Folder], preset: Sequence[tuple[str, Sequence[str]]] = ()) -> dict[str, str]:
    return {role: folder.decoded for role, folder in by_role(folders, preset).items()}


def test_special_use_wins_over_names():
    folders = listed("INBOX", "Sent", "Old \\Sent", "Spam", "Quarantine \\Junk", "Bin \\Trash", "Work \\Drafts")
    assert roles(folders) == {"inbox": "INBOX", "sent": "Old", "junk": "Quarantine", "trash": "Bin", "drafts": "Work"}


def test_the_preset_wins_over_special_use_and_may_be_raw_or_decoded():
    folders = listed("INBOX", "已发送", "Sent \\Sent", "垃圾邮件")
    preset = (("sent", ("missing", "&XfJT0ZAB-")), ("junk", ("垃圾邮件",)), ("other", ("Sent",)))
    assert roles(folders, preset) == {"inbox": "INBOX", "sent": "已发送", "junk": "垃圾邮件"}


@pytest.mark.parametrize(
    "names",
    [
        ("Sent Messages", "Junk", "Deleted Messages", "Drafts"),
        ("已发送", "垃圾邮件", "已删除", "草稿箱"),
        ("已发送邮件", "垃圾邮件", "已删除邮件", "草稿"),
        ("已发送", "垃圾邮件", "已删除", "草稿夹"),
        ("寄件備份", "垃圾郵件", "刪除的郵件", "草稿"),
        ("Gesendete Elemente", "Junk-E-Mail", "Gelöschte Elemente", "Entwürfe"),
        ("Éléments envoyés", "Courrier indésirable", "Éléments supprimés", "Brouillons"),
        ("Elementos enviados", "Correo no deseado", "Elementos eliminados", "Borradores"),
        ("送信済みアイテム", "迷惑メール", "削除済みアイテム", "下書き"),
        ("보낸 편지함", "정크 메일", "지운 편지함", "임시 보관함"),
        ("Отправленные", "Спам", "Корзина", "Черновики"),
        ("SENT ITEMS", "junk e-mail", "deleted items", "DRAFTS"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "INBOX.", "[Gmail]."])
def test_localized_names(names, prefix):
    folders = listed("INBOX", *(prefix + name for name in names), delimiter=".")
    found = roles(folders)
    assert [found.get(role) for role in ("sent", "junk", "trash", "drafts")] == [prefix + name for name in names]


def test_deep_folders_have_no_role():
    assert roles(listed("INBOX", "Archive/2019/Sent", "Old/Trash")) == {"inbox": "INBOX"}


def test_the_commonest_name_wins():
    assert roles(listed("Sent Items", "Sent", "Spam", "Bulk"))["sent"] == "Sent"


def test_what_cannot_be_selected_has_no_role():
    folders = listed("INBOX", "[Gmail] \\Noselect", "Sent \\NonExistent", "Junk \\Noselect")
    assert roles(folders) == {"inbox": "INBOX"}


def test_no_folder_has_two_roles():
    folders = listed("INBOX", "Trash \\Junk \\Trash")
    assert len(roles(folders)) == 2


def test_an_empty_list_has_no_roles():
    assert roles([]) == {}


def test_find_prefers_the_exact_name():
    folders = listed("work", "Work", "垃圾邮件")
    assert find(folders, "Work") == folders[1]
    assert find(folders, "WORK") == folders[0]
    assert find(folders, "&V4NXPpCuTvY-") == folders[2]
    assert find(folders, "none") is None

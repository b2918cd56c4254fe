"""Finds out which mailbox folder is inbox, sent, junk, trash or drafts.

In: the folders of a LIST response and the provider's preset. Out: one Folder per role. The preset decides first, then
SPECIAL-USE (RFC 6154), then the localized names in the table below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ROLES = ("inbox", "sent", "junk", "trash", "drafts")

_SPECIAL_USE = {"\\sent": "sent", "\\junk": "junk", "\\spam": "junk", "\\trash": "trash", "\\drafts": "drafts"}

# Names seen on real servers, most common first; compared without case. A word that two languages use ("Papelera",
# "Corbeille") has the same role in both; "Deleted" never means junk.
_NAMES: dict[str, tuple[str, ...]] = {
    "sent": (
        "Sent", "Sent Items", "Sent Messages", "Sent Mail", "Sent-Mail", "Sentbox",
        "已发送", "已发送邮件", "已发邮件", "发件箱", "已发件夹", "寄件備份", "寄件備份匣",
        "已傳送", "寄件匣", "已寄出",
        "Gesendet", "Gesendete Elemente", "Gesendete Objekte", "Gesendete Nachrichten",
        "Envoyés", "Éléments envoyés", "Messages envoyés", "Courrier envoyé",
        "Enviados", "Elementos enviados", "Mensajes enviados", "Correo enviado", "Itens enviados", "Mensagens enviadas",
        "送信済み", "送信済みアイテム", "送信済みメール", "送信控え", "보낸 편지함", "보낸편지함", "보낸메일함",
        "Posta inviata", "Inviata", "Inviati", "Verzonden", "Verzonden items", "Отправленные", "Отправленные сообщения",
        "Wysłane", "Elementy wysłane", "Skickat", "Sendt", "Sendte elementer", "Lähetetyt", "Odeslané", "Odoslané",
        "Gönderilmiş Öğeler", "Gönderilenler", "Надіслані",
    ),
    "junk": (
        "Junk", "Junk E-mail", "Junk Email", "Junk Mail", "Spam", "Bulk Mail", "Bulk", "Bulkmail", "SpamMail",
        "垃圾邮件", "垃圾邮件箱", "广告邮件", "垃圾郵件", "垃圾信件", "垃圾信件匣", "广告箱",
        "Spamverdacht", "Junk-E-Mail", "Werbung", "Unerwünscht", "Unerwünschte Werbung",
        "Courrier indésirable", "Indésirables", "Pourriel", "Spams",
        "Correo no deseado", "Correo basura", "No deseado", "Lixo Eletrônico", "Lixo eletrónico",
        "迷惑メール", "迷惑メールフォルダ", "정크 메일", "스팸메일함", "스팸함", "정크메일함",
        "Posta indesiderata", "Ongewenste e-mail", "Ongewenst", "Спам", "Нежелательная почта",
        "Wiadomości-śmieci", "Skräppost", "Søppelpost", "Uønsket e-mail", "Roskaposti", "Nevyžádaná pošta",
        "Önemsiz", "Gereksiz E-posta", "Небажана пошта",
    ),
    "trash": (
        "Trash", "Deleted", "Deleted Items", "Deleted Messages", "Bin", "Rubbish", "Wastebasket",
        "已删除", "已删除邮件", "已删除消息", "废件箱", "回收站", "垃圾桶",
        "已刪除", "刪除的郵件", "已刪除的郵件", "資源回收筒",
        "Papierkorb", "Gelöscht", "Gelöschte Elemente", "Gelöschte Objekte",
        "Corbeille", "Éléments supprimés", "Messages supprimés",
        "Papelera", "Elementos eliminados", "Eliminados", "Lixeira", "Itens excluídos", "Lixo",
        "ゴミ箱", "ごみ箱", "削除済みアイテム", "削除済み", "휴지통", "지운 편지함", "지운편지함",
        "Cestino", "Posta eliminata", "Prullenbak", "Verwijderde items", "Корзина", "Удаленные", "Удалённые",
        "Kosz", "Elementy usunięte", "Papperskorg", "Papirkurv", "Slettede elementer", "Roskakori", "Koš",
        "Çöp Kutusu", "Silinmiş Öğeler", "Кошик", "Видалені",
    ),
    "drafts": (
        "Drafts", "Draft", "Draftbox",
        "草稿", "草稿箱", "草稿夹", "草稿匣", "草稿邮件",
        "Entwürfe", "Entwurf", "Brouillons", "Brouillon", "Borradores", "Borrador", "Rascunhos", "Rascunho",
        "下書き", "임시 보관함", "임시보관함", "Bozze", "Concepten", "Черновики", "Wersje robocze", "Kopie robocze",
        "Utkast", "Kladder", "Luonnokset", "Rozepsané", "Koncepty", "Taslaklar", "Чернетки",
    ),
}  # fmt: skip
_ROLE_OF_NAME = {name.casefold(): (role, rank) for role, names in _NAMES.items() for rank, name in enumerate(names)}


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of a LIST response."""

    name: str  # as the server wrote it (modified UTF-7); used in commands
    decoded: str  # as people read it
    flags: frozenset[str] = frozenset()  # lower case, with the backslash
    delimiter: str = ""  # "" means a flat namespace

    @property
    def selectable(self) -> bool:
        return "\\noselect" not in self.flags and "\\nonexistent" not in self.flags


def by_role(folders: Iterable[Folder], preset: Sequence[tuple[str, Sequence[str]]] = ()) -> dict[str, Folder]:
    """Return the folder of each role in ROLES that can be identified. A folder has at most one role.

    `preset` holds (role, names) of the provider; its names are whole paths, decoded or raw.
    """
    selectable = [folder for folder in folders if folder.selectable]
    found: dict[str, Folder] = {}
    inbox = find(selectable, "INBOX")
    if inbox is not None:
        found["inbox"] = inbox
    for role, names in preset:
        for name in names:
            folder = find(selectable, name)
            if role in ROLES and folder is not None and folder not in found.values():
                found.setdefault(role, folder)
    for folder in selectable:
        for flag in folder.flags:
            role = _SPECIAL_USE.get(flag, "")
            if role and folder not in found.values():
                found.setdefault(role, folder)
    for role, folder in _by_name(selectable):
        if folder not in found.values():
            found.setdefault(role, folder)
    return {role: found[role] for role in ROLES if role in found}


def find(folders: Iterable[Folder], name: str) -> Folder | None:
    """Return the folder with this name, decoded or raw.

    An exact match if there is one, else without regard to case.
    """
    folded = name.casefold()
    loose = None
    for folder in folders:
        if name in (folder.decoded, folder.name):
            return folder
        if loose is None and folded in (folder.decoded.casefold(), folder.name.casefold()):
            loose = folder
    return loose


def _by_name(folders: Iterable[Folder]) -> list[tuple[str, Folder]]:
    """Return (role, folder) for known names, the best guess of each role first.

    A folder nearer to the top is a better guess; among those, the more common name.
    """
    ranked: list[tuple[int, int, str, Folder]] = []
    for folder in folders:
        path = folder.decoded.split(folder.delimiter) if folder.delimiter else [folder.decoded]
        depth = len(path) - (path[0].casefold() in ("inbox", "[gmail]", "[google mail]"))
        role, rank = _ROLE_OF_NAME.get(path[-1].casefold(), ("", 0))
        if role and depth <= 1:
            ranked.append((depth, rank, role, folder))
    ranked.sort(key=lambda each: each[:2])
    return [(role, folder) for _, _, role, folder in ranked]

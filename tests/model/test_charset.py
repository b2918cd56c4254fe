"""Tests of the charset by evidence, on words that servers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.charset import decode, unscrambled


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("535 Error: 请使用授权码登录。详情请看: http://service.mail.qq.com/", "gbk"),
        ("535 Error: 请使用授权码登录", "utf-8"),
        ("-ERR 系统忙", "gbk"),  # its bytes are valid UTF-8 by chance
        ("-ERR 邮箱已满", "gbk"),  # its bytes are all letters in windows-1251
        ("550 用户名或密码错误！请重新输入", "gb18030"),
        ("535 5.7.8 Fehler: Anmeldung gescheitert, Kennwort ungültig", "cp1252"),
        ("NO Größe überschritten", "latin-1"),
        ("NO Échec de l'authentification: mot de passe erroné", "cp1252"),
        ("-ERR Błąd: hasło nieprawidłowe", "cp1250"),
        ("535 Неверный пароль", "cp1251"),
        ("535 Неверное имя пользователя или пароль", "koi8-r"),
    ],
)
def test_a_reply_is_read_in_the_charset_of_its_server(text: str, charset: str):
    assert decode(text.encode(charset)) == text


@pytest.mark.parametrize(
    ("scrambled", "text"),
    [
        ("535 Error: ÇëÊ¹ÓÃÊÚÈ¨ÂëµÇÂ¼", "535 Error: 请使用授权码登录"),
        ("535 Error: ç”¨æˆ·å", "535 Error: ç”¨æˆ·å"),  # a character is incomplete: nothing is lost
        ("Straße größer", "Straße größer"),
        ("plain", "plain"),
    ],
)
def test_text_that_was_decoded_as_latin_1_is_mended_if_it_is_certain(scrambled: str, text: str):
    assert unscrambled(scrambled) == text


@given(st.binary(max_size=200))
def test_no_bytes_upset_it(data: bytes):
    unscrambled(decode(data))

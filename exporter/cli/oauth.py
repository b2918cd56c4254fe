"""The verb `oauth NAME`: signs in once and writes the refresh token of a mailbox.

In: the mailbox's `oauth2` settings. Out: the file `refresh_token_file`, mode 0600. Prints English and Chinese.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator

from exporter.config import Config, ConfigError, load
from exporter.config.load import ConfigFile
from exporter.config.schema.fields import domain_of
from exporter.config.schema.targets import Mailbox
from exporter.credentials.files import write_secret
from exporter.daemon.options import Options
from exporter.diagnosis.diagnose import diagnose
from exporter.model import Phase, Secret
from exporter.model.errors import ProbeError, TokenRefusal
from exporter.model.reasons import Reason, about
from exporter.net.dns.resolver import Resolver
from exporter.net.oauth import sign_in
from exporter.net.oauth.client import Granted, Net, grant
from exporter.net.oauth.redirect import RedirectListener
from exporter.net.oauth.sign_in import BadAnswerError, DeniedError, Request
from exporter.net.tls import TlsContexts
from exporter.targets.accounts import sign_in_of, written_preset
from exporter.targets.provider_lookup import look_up
from exporter.targets.token_source import NoTokenSourceError, SignIn

PATIENCE = 1800.0  # seconds for the user


class _UnusableError(Exception):
    """The configuration does not allow it. Both languages."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese


async def authorize(options: Options, name: str) -> int:
    """Exit code: 0 done, 1 refused or given up, 2 the configuration is wrong or has no such mailbox."""
    try:
        config = await asyncio.to_thread(load, options.config_file)
        part, mailbox = _mailbox(config, name)
        net = Net(Resolver(config.resolvers), TlsContexts())
        entry = await _sign_in_of(part, mailbox, net)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except _UnusableError as exc:
        print(f"mailprobe: {exc}\nmailprobe：{exc.chinese}", file=sys.stderr)
        return 2
    net = Net(net.resolver, net.contexts, entry.source.ca_file)
    try:
        async with asyncio.timeout(PATIENCE):
            await _obtain(entry, mailbox, net)
    except Exception as exc:
        return _explain(exc)
    return 0


def _say(english: str, chinese: str) -> None:
    print(f"{english}\n{chinese}\n", flush=True)


def _explain(exc: Exception) -> int:
    if isinstance(exc, BadAnswerError):
        print(f"mailprobe: no token: {exc}\nmailprobe：没有得到令牌：{exc}", file=sys.stderr)
        return 1
    failure = diagnose(exc, Phase.TOKEN)
    if failure.reason is Reason.BUG:
        raise exc
    known = about(failure.reason)
    print(f"mailprobe: {failure.reason}: {failure.text}", file=sys.stderr)
    print(f"{known.remedy_en}\n{known.remedy_zh}", file=sys.stderr)
    return 1


# -- whose sign-in ----------------------------------------------------------------------------------------------------


def _mailbox(config: Config, name: str) -> tuple[ConfigFile, Mailbox]:
    known = [(part, mailbox) for part in config.parts for mailbox in part.mailboxes]
    found = [each for each in known if each[1].title == name] or [each for each in known if each[1].address == name]
    if not found:
        some = ", ".join(mailbox.title for _, mailbox in known if mailbox.oauth2 is not None)
        raise _UnusableError(
            f"no mailbox is called {name}; with oauth2 there are: {some or 'none'}",
            f"没有名为 {name} 的邮箱；配置了 oauth2 的有：{some or '无'}",
        )
    return found[0]


async def _sign_in_of(part: ConfigFile, mailbox: Mailbox, net: Net) -> SignIn:
    domain = domain_of(mailbox.address)
    preset = written_preset(mailbox, domain)
    if preset is None and mailbox.oauth2 is not None and mailbox.oauth2.token_url is None:
        seen = await look_up(domain, net.resolver.lookup)
        preset = seen.found.preset if seen.found else None
    try:
        entry = sign_in_of(part, mailbox, preset)
    except NoTokenSourceError as exc:
        raise _UnusableError(
            f"{mailbox.title}: oauth2.{exc}", f"{mailbox.title}：oauth2 中缺少 token_url，且无法从服务商预设中得知"
        ) from exc
    if entry is None:
        raise _UnusableError(
            f"{mailbox.title} has no oauth2 in {part.file}: write client_id and refresh_token_file there first",
            f"{part.file} 里的邮箱 {mailbox.title} 没有 oauth2：请先写上 client_id 和 refresh_token_file",
        )
    if entry.refresh_token_file is not None and not (entry.device_url or entry.authorize_url):
        raise _UnusableError(
            f"{mailbox.title}: where to sign in is not known: write oauth2.device_url or oauth2.authorize_url",
            f"{mailbox.title}：不知道在哪里登录授权：请写上 oauth2.device_url 或 oauth2.authorize_url",
        )
    return entry


# -- the token --------------------------------------------------------------------------------------------------------


async def _obtain(entry: SignIn, mailbox: Mailbox, net: Net) -> None:
    source = entry.source
    secret = await source.client_secret.read() if source.client_secret is not None else None
    if entry.refresh_token_file is None:
        told = await grant(source, await source.seed.read(), secret, net, time.time())
        _say(
            f"The flow {source.flow} needs no sign-in, and works: a token for {told.lifetime / 60:.0f} minutes came.",
            f"{source.flow} 方式不需要登录授权，并且可用：已取得有效期 {told.lifetime / 60:.0f} 分钟的令牌。",
        )
        return
    granted = await _sign_in(entry, mailbox, secret, net)
    if granted.refresh is None:
        raise BadAnswerError("the provider gave an access token, but no refresh token: does the scope allow one?")
    file = entry.refresh_token_file
    try:
        await asyncio.to_thread(write_secret, file, f"{granted.refresh.reveal()}\n")
    except OSError as exc:
        raise ProbeError(Reason.LOCAL_ERROR, f"refresh_token_file {file}: {exc.strerror or exc}") from exc
    _say(
        f"Done: the refresh token is in {file}, readable by its owner alone. A running daemon takes it from there.",
        f"完成：刷新令牌已写入 {file}，只有文件所有者可读。运行中的 mailprobe 会在下次登录时使用它。",
    )


async def _sign_in(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    if entry.device_url:
        try:
            return await _by_device(entry, mailbox, secret, net)
        except TokenRefusal as exc:
            if exc.code not in ("unauthorized_client", "invalid_client", "unsupported_grant_type", "invalid_scope"):
                raise
            if not entry.authorize_url:
                raise
            _say(f"No device codes here ({exc.text}).", f"这里不支持设备代码（{exc.text}）。")
    return await _by_browser(entry, mailbox, secret, net)


async def _by_device(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    begun = await sign_in.device(entry.device_url, entry.source, net)
    _say(
        f"Open {begun.url} in a browser on any device, sign in as {mailbox.address}, and type this code: "
        f"{begun.user_code}",
        f"请在任意设备的浏览器中打开 {begun.url}，以 {mailbox.address} 登录，并输入代码：{begun.user_code}",
    )
    interval = begun.interval
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(begun.lifetime):
            while True:
                await asyncio.sleep(interval)
                try:
                    told = await sign_in.poll(entry.source, begun, secret, net)
                except ProbeError as exc:  # RFC 8628 section 3.5: try again, less often
                    if exc.reason is not Reason.AUTH_UNAVAILABLE:
                        raise
                    interval *= 2
                    continue
                if isinstance(told, Granted):
                    return told
                interval += told
    raise DeniedError("the code was not used in time")


async def _by_browser(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    user = mailbox.username or mailbox.address
    if entry.redirect_url:
        asked = sign_in.request(entry.authorize_url, entry.source, entry.redirect_url, user)
        _say(
            f"Open this page, sign in as {user}, and paste the code it shows (or its address) here:\n{asked.page}",
            f"打开上面的网页，以 {user} 登录，把页面显示的代码（或地址栏中的地址）粘贴到这里。",
        )
        return await sign_in.exchange(entry.source, asked, await _code(asked, None), secret, net)
    async with RedirectListener() as listener:
        asked = sign_in.request(entry.authorize_url, entry.source, listener.url, user)
        _say(
            f"Open this page in a browser on this machine and sign in as {user}. On another machine the last page will "
            f"not load: paste its address here.\n{asked.page}",
            f"在本机浏览器中打开上面的网页，以 {user} 登录。"
            "如果浏览器在另一台机器上，最后的页面会打不开：把它的地址粘贴到这里。",
        )
        code = await _code(asked, listener)
        return await sign_in.exchange(entry.source, asked, code, secret, net)


async def _code(asked: Request, listener: RedirectListener | None) -> Secret:
    """The code, from whichever of the two ways it comes first. Raises DeniedError, BadAnswerError."""
    async for text, by_hand in _answers(listener):
        try:
            return sign_in.code_in(text, asked)
        except DeniedError:
            raise
        except BadAnswerError as exc:
            if by_hand:
                _say(f"That is not it: {exc}. Try again.", f"不对：{exc}。请再试一次。")
    raise BadAnswerError("nothing was pasted")


async def _answers(listener: RedirectListener | None) -> AsyncIterator[tuple[str, bool]]:
    """What the browser brings, and what is typed (True); ends where nothing can come any more."""
    ways = {True: _Typed().line} | ({} if listener is None else {False: listener.address})
    waiting = {asyncio.create_task(way()): by_hand for by_hand, way in ways.items()}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                by_hand = waiting.pop(task)
                try:
                    text = task.result()
                except EOFError:
                    continue
                yield text, by_hand
                waiting[asyncio.create_task(ways[by_hand]())] = by_hand
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class _Typed:
    """Standard input, line by line, without a thread that could not be stopped."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._rest = b""

    async def line(self) -> str:
        """The next one. Raises EOFError where there is none."""
        while not self._lines:
            raw = await self._read()
            *lines, self._rest = (self._rest + raw).split(b"\n") if raw else (self._rest, b"")
            self._lines.extend(line.decode("utf-8", "replace") for line in lines if line or raw)
            if not raw and not self._lines:
                raise EOFError
        return self._lines.popleft()

    @staticmethod
    async def _read() -> bytes:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            number = sys.stdin.fileno()
            loop.add_reader(number, ready.set)
        except (OSError, ValueError, AttributeError):  # closed, or a plain file, which no loop can wait for
            raise EOFError from None
        try:
            await ready.wait()
        finally:
            loop.remove_reader(number)
        return os.read(number, 65536)

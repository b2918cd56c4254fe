"""The verb `oauth NAME`: signs in once and writes the refresh token of a mailbox.

In: the mailbox's `oauth2` settings. Out: the file `refresh_token_file`, mode 0600. Prints each text in two languages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence

from exporter.config import Config, ConfigError, load
from exporter.config.load import ConfigFile
from exporter.config.schema.fields import domain_of
from exporter.config.schema.targets import Mailbox
from exporter.credentials.files import write_secret
from exporter.daemon.options import Options
from exporter.diagnosis.diagnose import diagnose
from exporter.model import Phase, Secret
from exporter.model.errors import ProbeError, TokenRefusal
from exporter.model.phrases import Phrases
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

PATIENCE = 1800.0  # seconds for the user to sign in
LANGUAGES = ("en", "zh")  # all, one after the other: the person who signs in is often not the person who set the locale


class _UnusableError(Exception):
    """The configuration does not allow a sign-in. The argument is the text in each of LANGUAGES."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(texts)
        self.texts = texts


async def authorize(options: Options, name: str) -> int:
    """Sign in and write the token.

    Exit code: 0 done, 1 refused or cancelled, 2 wrong configuration or no such mailbox.
    """
    try:
        config = await asyncio.to_thread(load, options.config_file)
        part, mailbox = _mailbox(config, name)
        net = Net(Resolver(config.resolvers), TlsContexts())
        entry = await _sign_in_of(part, mailbox, net)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except _UnusableError as exc:
        print(*map(_named, LANGUAGES, exc.texts), sep="\n", file=sys.stderr)
        return 2
    net = Net(net.resolver, net.contexts, entry.source.ca_file)
    try:
        async with asyncio.timeout(PATIENCE):
            await _obtain(entry, mailbox, net)
    except Exception as exc:
        return _explain(exc)
    return 0


def _texts(key: str, **places: object) -> list[str]:
    """Return the text in each language."""
    return [Phrases(language, "oauth")(key, **places) for language in LANGUAGES]


def _say(key: str, *, page: str = "", **places: object) -> None:
    """Print the text in each language.

    `page`: a URL, printed once on its own line after the first language; the other texts refer to "the page above".
    """
    first, *others = _texts(key, **places)
    print(first, *([page] if page else []), *others, "", sep="\n", flush=True)


def _named(language: str, text: str) -> str:
    return Phrases(language).labelled("oauth.program", text)


def _explain(exc: Exception) -> int:
    if isinstance(exc, BadAnswerError):
        texts = _texts("no_token", error=exc)
        print(*map(_named, LANGUAGES, texts), sep="\n", file=sys.stderr)
        return 1
    failure = diagnose(exc, Phase.TOKEN)
    if failure.reason is Reason.BUG:
        raise exc
    known = about(failure.reason)
    print(f"mailprobe: {failure.reason}: {failure.text}", file=sys.stderr)
    print(*map(known.remedy, LANGUAGES), sep="\n", file=sys.stderr)
    return 1


# -- the mailbox -------------------------------------------------------------------------------------------------------


def _mailbox(config: Config, name: str) -> tuple[ConfigFile, Mailbox]:
    known = [(part, mailbox) for part in config.parts for mailbox in part.mailboxes]
    found = [each for each in known if each[1].title == name] or [each for each in known if each[1].address == name]
    if not found:
        some = ", ".join(mailbox.title for _, mailbox in known if mailbox.oauth2 is not None)
        raise _UnusableError(
            _texts("no_mailbox", name=name, others=some) if some else _texts("no_mailbox_at_all", name=name)
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
        raise _UnusableError(_texts("no_endpoint", name=mailbox.title)) from exc
    if entry is None:
        raise _UnusableError(_texts("no_oauth2", name=mailbox.title, file=part.file))
    if entry.refresh_token_file is not None and not (entry.device_url or entry.authorize_url):
        raise _UnusableError(_texts("no_page", name=mailbox.title))
    return entry


# -- the token --------------------------------------------------------------------------------------------------------


async def _obtain(entry: SignIn, mailbox: Mailbox, net: Net) -> None:
    source = entry.source
    secret = await source.client_secret.read() if source.client_secret is not None else None
    if entry.refresh_token_file is None:
        told = await grant(source, await source.seed.read(), secret, net, time.time())
        _say("needless", flow=source.flow, minutes=f"{told.lifetime / 60:.0f}")
        return
    granted = await _sign_in(entry, mailbox, secret, net)
    if granted.refresh is None:
        raise BadAnswerError("the provider gave an access token, but no refresh token: does the scope allow one?")
    file = entry.refresh_token_file
    try:
        await asyncio.to_thread(write_secret, file, f"{granted.refresh.reveal()}\n")
    except OSError as exc:
        raise ProbeError(Reason.LOCAL_ERROR, f"refresh_token_file {file}: {exc.strerror or exc}") from exc
    _say("done", file=file)


async def _sign_in(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    if entry.device_url:
        try:
            return await _by_device(entry, mailbox, secret, net)
        except TokenRefusal as exc:
            if exc.code not in ("unauthorized_client", "invalid_client", "unsupported_grant_type", "invalid_scope"):
                raise
            if not entry.authorize_url:
                raise
            _say("no_device", error=exc.text)
    return await _by_browser(entry, mailbox, secret, net)


async def _by_device(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    begun = await sign_in.device(entry.device_url, entry.source, net)
    _say("device", url=begun.url, user=mailbox.address, code=begun.user_code)
    interval = begun.interval
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(begun.lifetime):
            while True:
                await asyncio.sleep(interval)
                try:
                    told = await sign_in.poll(entry.source, begun, secret, net)
                except ProbeError as exc:  # RFC 8628 section 3.5: continue, with a longer interval
                    if exc.reason is not Reason.AUTH_UNAVAILABLE:
                        raise
                    interval *= 2
                    continue
                if isinstance(told, Granted):
                    return told
                interval += told
    raise DeniedError("the code was not entered in time")


async def _by_browser(entry: SignIn, mailbox: Mailbox, secret: Secret | None, net: Net) -> Granted:
    user = mailbox.username or mailbox.address
    if entry.redirect_url:
        asked = sign_in.request(entry.authorize_url, entry.source, entry.redirect_url, user)
        _say("paste_code", user=user, page=asked.page)
        return await sign_in.exchange(entry.source, asked, await _code(asked, None), secret, net)
    async with RedirectListener() as listener:
        asked = sign_in.request(entry.authorize_url, entry.source, listener.url, user)
        _say("browser", user=user, page=asked.page)
        code = await _code(asked, listener)
        return await sign_in.exchange(entry.source, asked, code, secret, net)


async def _code(asked: Request, listener: RedirectListener | None) -> Secret:
    """Return the code that arrives first, by redirect or typed. Raises DeniedError or BadAnswerError."""
    async for text, by_hand in _answers(listener):
        try:
            return sign_in.code_in(text, asked)
        except DeniedError:
            raise
        except BadAnswerError as exc:
            if by_hand:
                _say("wrong", error=exc)
    raise BadAnswerError("nothing was pasted")


async def _answers(listener: RedirectListener | None) -> AsyncIterator[tuple[str, bool]]:
    """Yield the answers from the browser (False) and from the keyboard (True), until neither can send more."""
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
    """Reads standard input line by line, without a thread, because a blocked thread could not be stopped."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._rest = b""

    async def line(self) -> str:
        """Return the next line. Raises EOFError at the end."""
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
        except (OSError, ValueError, AttributeError):  # closed, or a regular file, for which an event loop cannot wait
            raise EOFError from None
        try:
            await ready.wait()
        finally:
            loop.remove_reader(number)
        return os.read(number, 65536)

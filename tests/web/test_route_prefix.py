"""Tests of --web.route-prefix: every page, link, redirect and client works below a path."""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

import pytest

from exporter.web.access.origin import PROGRAM
from exporter.web.route_prefix import NO_PREFIX, RoutePrefix, route_prefix
from exporter.web.server import build
from tests.results import mailbox, ok
from tests.servers.daemon import Daemon, mailprobe
from tests.web.view import FakeView

PAGES = (
    "/",
    "/targets/sales",
    "/incidents",
    "/runbooks/",
    "/runbooks/reasons",
    "/runbooks/MailLoginRejected",
    "/config",
)
PROGRAMS = ("/metrics", "/config", "/sd", "/api/v1/targets", "/-/healthy", "/-/ready")
FILES = ("/style.css", "/page.js", "/icon-ok.svg")


def view(prefix: RoutePrefix) -> FakeView:
    made = FakeView([mailbox()], [ok(mailbox())])
    made.route_prefix = prefix
    return made


@pytest.mark.parametrize(
    ("flag", "external_url", "found"),
    [
        ("", "", NO_PREFIX),
        ("", "https://mail.example.com", NO_PREFIX),
        ("", "https://mail.example.com/", NO_PREFIX),
        ("", "https://mail.example.com/a/b/", RoutePrefix("/a/b")),
        ("", "https://mail.example.com/a%20b", NO_PREFIX),  # only links lead there
        ("/", "https://mail.example.com/a", RoutePrefix("", alone=True)),
        ("/a/", "https://mail.example.com/b", RoutePrefix("/a", alone=True)),
        ("a", "", RoutePrefix("/a", alone=True)),
    ],
)
def test_it_is_the_path_of_the_external_url_unless_told(flag, external_url, found):
    assert route_prefix(flag, external_url) == found


@pytest.mark.parametrize("flag", ["/a b", "/{a}", "/a/../b", "/.", "/a?b", "https://a/b", "/\u90ae"])
def test_a_flag_that_is_no_plain_path_is_refused(flag):
    with pytest.raises(ValueError, match="must be a path such as /mailprobe"):
        route_prefix(flag, "")


@pytest.mark.parametrize("prefix", [NO_PREFIX, RoutePrefix("/a/b"), RoutePrefix("/a/b", alone=True)])
async def test_links_of_every_page_lead_to_pages(browse, prefix):
    """As a browser resolves them, style and script too."""
    client = await browse(view(prefix))
    for page in PAGES:
        answer = await client.get(f"{prefix.path}{page}", headers={"Accept": "text/html"})
        assert answer.status == 200
        links = re.findall(r'(?:href|src)="([^"#][^"]*)"', await answer.text())
        assert len(links) > 5
        for link in {urljoin(str(answer.url), html.unescape(link)) for link in links}:
            assert urlsplit(link).path.startswith(f"{prefix.path}/"), (page, link)
            async with client.session.get(link) as there:
                assert there.status == 200, (page, link)


@pytest.mark.parametrize("path", [*PROGRAMS, *FILES])
async def test_it_holds_for_programs_too(browse, path):
    for prefix in (RoutePrefix("/a/b"), RoutePrefix("/a/b", alone=True)):
        client = await browse(view(prefix))
        assert (await client.get(f"/a/b{path}")).status == 200
        assert (await client.get(path)).status == (404 if prefix.alone else 200)


@pytest.mark.parametrize(("path", "alone"), [("/a/b", True), ("/a/b", False), ("/", True)])
async def test_the_front_page_is_found_without_its_slash(browse, path, alone):
    client = await browse(view(RoutePrefix("/a/b", alone)))
    answer = await client.get(path, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/a/b/")


async def test_a_page_outside_of_it_leads_back(browse):
    client = await browse(view(RoutePrefix("/a/b", alone=True)))
    answer = await client.get("/targets/sales", headers={"Accept": "text/html"})
    assert answer.status == 404
    back = re.search(r'class="brand" href="([^"]*)"', await answer.text())
    assert back
    assert urlsplit(urljoin(str(answer.url), back[1])).path == "/a/b/"


async def test_a_button_leads_back_below_it(browse):
    shown = view(RoutePrefix("/a/b", alone=True))
    shown.next_result = ok(mailbox())
    client = await browse(shown)
    asked = {"Sec-Fetch-Site": "same-origin", "Origin": str(client.make_url("/")).rstrip("/")}
    answer = await client.post("/a/b/targets/sales", data={"probe": "imap"}, headers=asked)
    assert (answer.status, answer.url.path) == (200, "/a/b/targets/sales")
    run = await client.post("/a/b/api/v1/run?target=sales&probe=imap", headers={PROGRAM: "1"})
    assert run.status == 200


async def test_discovery_names_it_where_no_external_url_does(browse):
    shown = view(RoutePrefix("/a/b", alone=True))
    client = await browse(shown)
    (group,) = await (await client.get("/a/b/sd")).json()
    assert group["labels"]["__metrics_path__"] == "/a/b/probe"
    shown.external_url = "https://mail.example.com/c"
    (group,) = await (await client.get("/a/b/sd")).json()
    assert group["labels"]["__metrics_path__"] == "/c/probe"


def test_each_route_is_below_it():
    routes = [route.resource.canonical for route in build(view(NO_PREFIX)).router.routes() if route.resource]
    below = [route.resource.canonical for route in build(view(RoutePrefix("/a"))).router.routes() if route.resource]
    assert set(below) == {*routes, *(f"/a{route}" for route in routes), "/a"}


def test_the_command_line_finds_a_daemon_below_it():
    """`healthcheck` by the same flag; `check` by the control socket, whatever the daemon's flags are."""
    config = "endpoints: [{name: first, host: 127.0.0.1, port: 1, security: tls, protocol: imap}]\n"
    daemon = Daemon(config, {}, ["--web.route-prefix=/mail"])
    daemon.ready_path = "/mail/-/ready"
    with daemon:
        assert "mailprobe_build_info" in daemon.text("/mail/metrics")
        assert f'mailprobe_web_info{{external_url="{daemon.url}/mail"}}' in daemon.text("/mail/metrics")
        listen = f"--web.listen-address={daemon.url.removeprefix('http://')}"
        assert mailprobe("healthcheck", listen, "--web.route-prefix=/mail", cwd=daemon.folder).returncode == 0
        storage = f"--storage.path={daemon.folder}/data"
        done = mailprobe("check", "--json", storage, f"--config.file={daemon.config}", cwd=daemon.folder)
        assert done.returncode == 1
        assert "asking the daemon" in done.stderr

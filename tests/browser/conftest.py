"""A headless Chromium, and what it looks at: the simulator's storefront with a stand-in for the seller's
page, or registration's own pages with all that they stand in.

Chromium is Debian's. Where this process may, it installs it; elsewhere the tests say how and are skipped, or
fail when CI=true, so that a pipeline cannot lose them without a word.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.portal_back_end import PortalBackEnd
from tests.browser.portal_visit import PortalVisit, running_portal
from tests.browser.registration_house import RegistrationHouse, running_registration
from tests.browser.visits import DESKTOP, PATIENCE, Visit, Visits
from tests.running_simulator import Simulator, running_simulator

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PRODUCTS: list[dict[str, Any]] = [
    {
        "product_code": "endpoints",
        "product_id": "prod-endpoints",
        "title": "Inference Endpoints",
        "generation": "concurrent_agreements",
        "dimensions": [
            {"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"},
            {"key": "requests", "title": "Requests", "unit": "Requests"},
        ],
    },
    {
        "product_code": "seats",
        "product_id": "prod-seats",
        "title": "Team Seats",
        "generation": "concurrent_agreements",
        "pricing_model": "contract",
        "dimensions": [
            {"key": "editors", "title": "Editors", "unit": "Users"},
            {"key": "viewers", "title": "Viewers", "unit": "Users"},
        ],
    },
    {
        "product_code": "classic",
        "product_id": "prod-classic",
        "title": "Classic Search",
        "generation": "legacy",
        "dimensions": [{"key": "queries", "title": "Queries", "unit": "Requests"}],
    },
]


def chromium() -> str:
    """Debian's Chromium, installed now if there is none and this process may."""
    if (found := shutil.which("chromium")) is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(
                ["apt-get", *words], env=quiet, stdout=subprocess.DEVNULL, check=False, timeout=600
            )
        found = shutil.which("chromium")
    if found is None:
        reason = "There is no chromium; on Debian this mends it: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running_simulator(tmp_path_factory.mktemp("simulator")) as simulator:
        yield simulator


class Registration(BaseHTTPRequestHandler):
    """The seller's page: shows what the buyer's browser brought, but for the token."""

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.posts.append({name: values[0] for name, values in fields.items()})  # type: ignore[attr-defined]
        names = html.escape(", ".join(sorted(fields)))
        page = f"<!doctype html><html lang=en><title>Seller</title><h1>Welcome</h1><p id=names>{names}</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def registration() -> Iterator[Any]:
    """A seller's registration page at `.url`; what was posted to it is in `.posts`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registration)
    server.posts = []  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_port}/register"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def simulator(running: Simulator, registration: Any) -> Simulator:
    """An empty simulator with three products, whose buyers are sent to the registration page."""
    running.do("POST", "reset")
    for product in PRODUCTS:
        running.do("POST", "products", {**product, "registration_url": registration.url})
    return running


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def page(browser: Browser, simulator: Simulator, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(
        base_url=simulator.url,
        java_script_enabled=request.param == "with JavaScript",
        viewport={"width": 1200, "height": 900},
    )
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def scripted_page(browser: Browser, simulator: Simulator) -> Iterator[Page]:
    """A page with JavaScript, which the accessibility check needs."""
    context = browser.new_context(base_url=simulator.url, viewport={"width": 1200, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def standing_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistrationHouse]:
    with running_registration(tmp_path_factory.mktemp("registration")) as house:
        yield house


@pytest.fixture
def house(standing_house: RegistrationHouse) -> Iterator[RegistrationHouse]:
    """Registration and its neighbours; nothing is out of order before the test and after it."""
    yield standing_house
    standing_house.mend()


@pytest.fixture
def visits(browser: Browser, house: RegistrationHouse) -> Iterator[Visits]:
    """Lets people come. When the test is over, it fails if a browser of theirs complained about a page."""
    visits = Visits(browser, house)
    yield visits
    visits.close()


@pytest.fixture
def visit(visits: Visits) -> Visit:
    """Somebody at a desktop, with JavaScript."""
    return visits.begin(DESKTOP)


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages of `web/`, whose back end the test plays."""
    with running_portal(tmp_path_factory.mktemp("portal")) as address:
        yield address


@pytest.fixture
def begin(browser: Browser, portal: str) -> Iterator[Callable[..., PortalVisit]]:
    """Lets people come to the portal. When the test is over, it fails if a browser of theirs complained."""
    begun: list[PortalVisit] = []

    def one(back_end: PortalBackEnd | None = None, **more: object) -> PortalVisit:
        begun.append(PortalVisit(browser, portal, back_end, **more))
        return begun[-1]

    yield one
    for visit in begun:
        visit.close()

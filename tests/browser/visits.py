"""People at browsers: what they do from the storefront to their account, and what their browser must never
complain about."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, Route, ViewportSize, expect

from tests.browser.registration_house import RegistrationHouse
from tests.journeys.house import until

SELLER = "Example Seller"
# For one step on a machine that is busy with other things; in milliseconds.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
NARROWEST: ViewportSize = {"width": 320, "height": 640}  # WCAG 2.2, success criterion 1.4.10
SIGHTS: tuple[tuple[str, ViewportSize, Literal["light", "dark"]], ...] = (
    ("desktop", DESKTOP, "light"),
    ("phone", PHONE, "dark"),
)


class Visit:
    """One person's browser, with one window unless another is opened.

    Args:
        page: the window.
        house: where they go.
        scripts: whether JavaScript runs.
    """

    def __init__(self, page: Page, house: RegistrationHouse, *, scripts: bool) -> None:
        self.page = page
        self._house = house
        self._scripts = scripts
        self.complaints: list[str] = []
        self._answers: dict[str, Response] = {}
        self._watch(page)

    def other_window(self) -> Visit:
        """The same person with a second window: the same cookies."""
        window = Visit(self.page.context.new_page(), self._house, scripts=self._scripts)
        window.complaints = self.complaints
        return window

    # -- what people do --------------------------------------------------------------------------------------

    def subscribe(
        self, title: str, offer: str = "Public offer", entered: Mapping[str, str] | None = None
    ) -> str:
        """Buys at the storefront and goes on to the seller's page; answers the agreement's id.

        Args:
            title: the product.
            offer: as the storefront calls it.
            entered: further entries of the storefront's form, by their labels.
        """
        self.buy(title, offer, entered)
        self.go_on_to_the_seller()
        return str(self._house.newest_agreement()["agreement_id"])

    def buy(self, title: str, offer: str = "Public offer", entered: Mapping[str, str] | None = None) -> None:
        """The same up to the last page of AWS; without JavaScript it waits there."""
        page = self.page
        page.goto(self._house.storefront)
        page.get_by_role("link", name=f"View purchase options for {title}").click()
        page.get_by_role("radio", name=offer).check()
        self.enter(entered or {})
        page.get_by_role("button", name="Subscribe").click()

    def go(self, address: str) -> Visit:
        """Opens an address; answers the visit itself."""
        self.page.goto(address)
        return self

    def set_up_again(self, agreement_id: str) -> None:
        """Comes back from AWS with a new token."""
        self.page.goto(f"{self._house.storefront}/agreements/{agreement_id}")
        self.page.get_by_role("button", name="Set up your account").click()
        self.go_on_to_the_seller()

    def go_on_to_the_seller(self) -> None:
        if not self._scripts:
            # The button that a script presses otherwise.
            self.page.get_by_role("button", name="Set up your account").click()
        self.page.wait_for_url(re.compile("^" + re.escape(self._house.landing)))
        # Loaded, too: the old page's end would break into what follows.
        self.page.wait_for_load_state()

    def enter(self, entered: Mapping[str, str]) -> None:
        """Fills the form's fields, by their labels."""
        for label, text in entered.items():
            self.page.get_by_label(label).fill(text)

    def press(self, name: str) -> None:
        """Presses a button, or what looks like one."""
        page = self.page
        page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).click()

    def register(self, email: str, button: str = "Create account") -> None:
        """Sends the form with no more than it needs."""
        self.page.get_by_label("E-mail address").fill(email)
        self.press(button)

    def sign_in(self, subject: str) -> None:
        """Goes to the provider, and is somebody there."""
        self.press("Continue with Example ID")
        self.page.get_by_placeholder("sub").fill(subject)
        self.press("Authorize")

    def sign_in_but_stop(self, subject: str) -> str:
        """The same up to where the provider sends the browser back; answers the address."""
        page = self.page
        found: list[str] = []

        def stop(route: Route) -> None:
            found.append(route.fetch(max_redirects=0).headers["location"])
            route.fulfill(status=204)  # which leaves the browser where it is

        self.press("Continue with Example ID")
        page.route("**/oauth2/authorize*", stop, times=1)
        page.get_by_placeholder("sub").fill(subject)
        with page.expect_response("**/oauth2/authorize*"):
            self.press("Authorize")
        return found[0]

    def look_again_until(self, words: str, button: str = "Look again") -> None:
        """Presses, or loads the page again where there is no button any more, until the page has news."""

        def there() -> bool:
            if words in self.reads():
                return True
            if (link := self.page.get_by_role("link", name=button)).count():
                link.click()
            else:
                self.page.reload()
            return False

        until(there, f"a page that says {words!r}")

    def sees(self, heading: str, status: int = 200) -> None:
        """The page has this heading and came with this status."""
        expect(self.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        came_with = self._answers[self.page.url].status
        assert came_with == status, f"{heading!r} came with {came_with}, not with {status}"

    def reads(self) -> str:
        """The page's words."""
        return re.sub(r"\s+", " ", self.page.locator("body").inner_text())

    # -- what browsers and people must find ------------------------------------------------------------------

    def look(self, name: str, title: str, lang: str = "en") -> None:
        """Looks at the page as it stands, wide and light, small and dark.

        Args:
            name: of its pictures.
            title: of the page, without the seller.
            lang: its language.
        """
        page = self.page
        expect(page).to_have_title(f"{title} \N{EN DASH} {SELLER}")
        expect(page.locator("html")).to_have_attribute("lang", lang)
        assert self._answers[page.url].headers["content-language"] == lang, name
        expect(page.locator("h1")).to_have_count(1)
        before = page.viewport_size
        for size_name, size, scheme in SIGHTS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            where = f"{name}, {size_name}, {scheme}"
            assert self._overflow() <= 0, f"{where}: {self._overflow()} pixels too wide"
            take_picture(page, f"registration/{name}-{size_name}-{scheme}")
            if self._scripts:
                found = violations(page)
                assert found == [], f"{where}: {json.dumps(found, indent=2)}"
        page.set_viewport_size(NARROWEST)
        assert self._overflow() <= 0, f"{name}: {self._overflow()} pixels wider than {NARROWEST['width']}"
        page.emulate_media(color_scheme="null")
        if before:
            page.set_viewport_size(before)
        assert self.complaints == [], "\n".join(self.complaints)

    def _overflow(self) -> int:
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def _watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("request", self._asked)
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        url = message.location["url"]
        # A page that came with a status of 400 or above is no mistake: the test holds the status itself.
        of_the_page = url in self._answers and "status of" in message.text
        if message.type in ("error", "warning") and self._is_ours(url) and not of_the_page:
            self.complaints.append(f"{url}: {message.text}")

    def _asked(self, request: Request) -> None:
        """Nothing but links and forms leads to another place."""
        page = request.frame.url
        by_itself = not request.is_navigation_request() and not request.url.startswith("data:")
        if by_itself and self._is_ours(page) and not self._is_ours(request.url):
            self.complaints.append(f"{page} asks for {request.url}")

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._house.landing)[:2]

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._answers[response.url] = response


class Visits:
    """All that come in one test."""

    def __init__(self, browser: Browser, house: RegistrationHouse) -> None:
        self._browser = browser
        self._house = house
        self._begun: list[Visit] = []

    def begin(self, size: ViewportSize = DESKTOP, *, scripts: bool = True, **more: Any) -> Visit:
        """Somebody comes, with a browser that has been nowhere yet.

        Args:
            size: of the window.
            scripts: whether JavaScript runs.
            more: of the browser, such as `locale`.
        """
        context = self._browser.new_context(java_script_enabled=scripts, viewport=size, **more)
        context.set_default_timeout(PATIENCE)
        visit = Visit(context.new_page(), self._house, scripts=scripts)
        self._begun.append(visit)
        return visit

    def close(self) -> None:
        for visit in self._begun:
            visit.page.context.close()
        complaints = [complaint for visit in self._begun for complaint in visit.complaints]
        assert complaints == [], "\n".join(complaints)


def take_picture(page: Page, name: str) -> None:
    """For people to look at: only where SCREENSHOTS names a folder, since each takes long."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds."""
    return [
        {"rule": found["id"], "where": [node["target"] for node in found["nodes"]]}
        for found in Axe().run(page).response["violations"]
    ]

"""All that runs, for people who come with a browser: buyers at the portal, operators at the console."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect

from tests.browser.visits import DESKTOP, PATIENCE, PHONE, take_picture, violations
from tests.journeys.house import ENVIRONMENT, PROCESS_ENVIRONMENT, WORKERS, Buyer, House
from tools.stack import Stack

ADA, GRACE, OLGA = "ada@example.com", "grace@example.com", "olga@example.com"
SIGHTS: tuple[tuple[str, ViewportSize, Literal["light", "dark"]], ...] = tuple(
    (f"{name}-{theme}", size, theme)
    for name, size in (("desktop", DESKTOP), ("phone", PHONE))
    for theme in ("light", "dark")
)
# An answer to be told of is no mistake of the page's: it says so itself.
OF_AN_ANSWER = re.compile(r"Failed to load resource: the server responded with a status of (401|403|404)")


@contextmanager
def running_house(directory: Path) -> Iterator[House]:
    """Starts all processes of the Procfile with the catalogue as it is shipped, and stops them after."""
    with Stack(directory, environment=ENVIRONMENT, process_environment=PROCESS_ENVIRONMENT) as stack:
        house = House(stack)
        yield house
        house.close()
        for worker in WORKERS:
            stack.kill(worker)  # asked to stop, it would first end its long poll


class Person:
    """Somebody with a browser of their own.

    Args:
        browser: opens it.
        house: where they go.
        subject: who they are at the identity provider.
    """

    def __init__(self, browser: Browser, house: House, subject: str) -> None:
        self._house = house
        self.subject = subject
        self.complaints: list[str] = []
        context = browser.new_context(viewport=DESKTOP)
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        # The months and days of the page are those of the house.
        self.page.clock.set_fixed_time(house.now())
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def close(self) -> None:
        self.page.context.close()
        assert self.complaints == [], "\n".join(self.complaints)

    # -- at the storefront and at the seller's door ----------------------------------------------------------

    def subscribe(self, title: str) -> Buyer:
        """Buys a product at the storefront, and registers by their sign-in; answers the purchase."""
        page, house = self.page, self._house
        page.goto(house.stack.urls["simulator"])
        page.get_by_role("link", name=f"View purchase options for {title}").click()
        page.get_by_role("radio", name="Public offer").check()
        page.get_by_role("button", name="Subscribe").click()
        page.wait_for_url(re.compile("^" + re.escape(house.stack.urls["registration-web"])))
        self.press("Continue with Example ID")
        self.is_somebody()
        page.get_by_role("button", name="Connect this purchase to my account").click()
        self.sees("Your account is set up")
        newest: dict[str, Any] = house._simulator("GET", "/agreements")["agreements"][-1]
        licence = re.split("[:/]", newest["license_arn"])[-1]
        digest = base64.b32encode(hashlib.sha256(licence.encode()).digest()).decode().lower()
        return Buyer(
            generation=newest["generation"],
            product_code=newest["product_code"],
            agreement_id=newest["agreement_id"],
            subscription_id=f"sub_{digest[:26]}",
            identity={"license_arn": newest["license_arn"]},
            token="",
            email=self.subject,
            customer_aws_account_id=newest["customer_aws_account_id"],
        )

    def cancel(self, bought: Buyer) -> None:
        """Ends a subscription where it was bought."""
        self.page.goto(f"{self._house.stack.urls['simulator']}/agreements/{bought.agreement_id}")
        self.press("Cancel subscription")
        expect(self.page.get_by_role("button", name="Cancel subscription")).to_have_count(0)

    # -- at the portal ---------------------------------------------------------------------------------------

    def open(self, path: str = "/") -> None:
        """Opens the application anew, and signs in: its tokens are gone with the page before. Where one was
        signed in already, it goes to the provider by itself."""
        self.page.clock.set_fixed_time(self._house.now())
        self.page.goto("about:blank")
        self.page.goto(f"{self._house.stack.urls['web']}/#{path}")
        button, question = self.page.get_by_role("button", name="Sign in", exact=True), self._who()
        expect(button.or_(question)).to_be_visible()
        if question.count() == 0:
            button.click()
        self.is_somebody()

    def is_somebody(self) -> None:
        """Says at the provider who they are."""
        self._who().fill(self.subject)
        self.press("Authorize")

    def go(self, name: str) -> None:
        """To one of the main pages."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).click()

    def press(self, name: str) -> None:
        page = self.page
        page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name)).first.click()

    def sees(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    def rows(self, table: str) -> list[list[str]]:
        """The cells of a table's rows, without its head."""
        found = self.page.get_by_role("table", name=table).locator("tbody tr")
        return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in found.all()]

    # -- what everybody must find ----------------------------------------------------------------------------

    def look(self, name: str) -> None:
        """Looks at the page on a desktop and on a phone, by day and by night: nothing is too wide, axe finds
        nothing, and the browser has not complained. Pictures: see `take_picture`."""
        page = self.page
        expect(page.locator("h1")).to_have_count(1)
        for sight, size, theme in SIGHTS:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size(size)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, f"{name}, {sight}: too wide"
            take_picture(page, f"web/{name}-{sight}")
            assert violations(page) == [], f"{name}, {sight}"
        page.emulate_media(color_scheme="null")
        page.set_viewport_size(DESKTOP)
        assert self.complaints == [], "\n".join(self.complaints)

    def _who(self) -> Locator:
        """The provider's question."""
        return self.page.get_by_placeholder("sub")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not OF_AN_ANSWER.match(message.text):
            self.complaints.append(f"{self.page.url}: {message.text}")

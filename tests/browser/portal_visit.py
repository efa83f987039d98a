"""Somebody at the portal, with a browser that complains into a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect

from tests.browser.portal_back_end import ISSUER, ORIGINS, PortalBackEnd
from tests.browser.visits import DESKTOP, NARROWEST, PATIENCE, SIGHTS, take_picture, violations
from tools.stack import Stack


@contextmanager
def running_portal(folder: Path) -> Iterator[str]:
    """The portal's own server, configured for services that are played in the browser; its address."""
    variables = {f"{service.upper()}_URL": origin for service, origin in ORIGINS.items()}
    environment = {"web": variables | {"OIDC_ISSUER": ISSUER}}
    with Stack(folder, processes=["web"], engine="ministack", process_environment=environment) as stack:
        yield stack.urls["web"]


class PortalVisit:
    """One person's browser at the portal.

    Args:
        browser: which one.
        address: of the portal.
        back_end: what the portal speaks to; a usual one where none is given.
        size: of the window.
        more: of the browser, such as `color_scheme`.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        back_end: PortalBackEnd | None = None,
        size: ViewportSize = DESKTOP,
        **more: Any,
    ) -> None:
        self.address = address
        self.back_end = back_end or PortalBackEnd()
        self.context = browser.new_context(base_url=address, viewport=size, **more)
        self.context.set_default_timeout(PATIENCE)
        # What is played in the browser comes from no network, whence a frame may not lead to this machine.
        self.context.grant_permissions(["local-network-access"])
        self.back_end.stand_in(self.context)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def close(self) -> None:
        self.context.close()
        assert self.complaints == [], "\n".join(self.complaints)

    # -- what people do --------------------------------------------------------------------------------------

    def go(self, path: str = "/") -> None:
        """Opens the page of a path, such as `/settings`."""
        self.page.goto(f"{self.address}/#{path}")

    def sign_in(self, path: str = "/") -> PortalVisit:
        """Opens a page and signs in for it; answers the visit itself."""
        self.go(path)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        # On a phone it is in the menu.
        expect(self.page.get_by_role("button", name="Sign out", include_hidden=True)).to_be_attached()
        return self

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name).click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()

    def sees(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", name=heading, exact=True)).to_be_visible()

    def rows(self, table: str) -> Locator:
        """The rows below a table's head."""
        return self.page.get_by_role("table", name=table).locator("tbody tr")

    # -- what browsers and people must find ------------------------------------------------------------------

    def look(self, name: str) -> None:
        """Looks at the page as it stands, wide and light, small and dark, and as narrow as there is."""
        page = self.page
        expect(page.locator("h1")).to_have_count(1)
        expect(page.get_by_role("main")).to_have_count(1)
        for size_name, size, scheme in SIGHTS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            where = f"{name}, {size_name}, {scheme}"
            assert self._overflow() <= 0, f"{where}: {self._overflow()} pixels too wide"
            take_picture(page, f"portal-{name}-{size_name}-{scheme}")
            found = violations(page)
            assert found == [], f"{where}: {json.dumps(found, indent=2)}"
        page.set_viewport_size(NARROWEST)
        assert self._overflow() <= 0, f"{name}: {self._overflow()} pixels wider than {NARROWEST['width']}"
        page.set_viewport_size(DESKTOP)
        assert self.complaints == [], "\n".join(self.complaints)

    def _overflow(self) -> int:
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def _said(self, message: ConsoleMessage) -> None:
        # That a service refused is no mistake of the page: the tests hold what it makes of it.
        if message.type in ("error", "warning") and "status of" not in message.text:
            self.complaints.append(message.text)

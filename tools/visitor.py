"""A browser as far as a story needs one: pages, forms, cookies, redirects. No script is run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx


@dataclass
class Form:
    """One form of a page, with the values that it would send untouched."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
        elif tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "input" and self.forms and values.get("type") not in ("checkbox", "radio", "submit"):
            self.forms[-1].fields[values.get("name", "")] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class Visitor:
    """Somebody at a browser.

    Args:
        base_url: where relative addresses of the first page belong.
    """

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, follow_redirects=True, timeout=30, trust_env=False)
        self.answer: httpx.Response
        self.page = _Page()
        # Every answer that the browser got, redirects too.
        self.visits: list[httpx.Response] = []

    def open(self, address: str) -> None:
        """Go to a page."""
        self._arrived(self._http.get(address))

    def follow(self, address: str) -> None:
        """Follow the link of the present page whose address contains `address`."""
        link = next(link for link in self.page.links if address in link)
        self._arrived(self._http.get(self.answer.url.join(link)))

    def submit(self, action: str, **entered: str) -> None:
        """Fill in and send the form of the present page whose address contains `action`."""
        form = next(form for form in self.page.forms if action in form.action)
        address = self.answer.url.join(form.action)
        self._arrived(self._http.post(address, data=form.fields | entered))

    def post(self, address: str, **values: str) -> None:
        """Send a form that stands on no page."""
        self._arrived(self._http.post(address, data=values))

    def reads(self) -> str:
        """The page's words."""
        return re.sub(r"\s+", " ", " ".join(self.page.text)).strip()

    def close(self) -> None:
        self._http.close()

    def _arrived(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.visits += [*answer.history, answer]
        self.page = _Page()
        self.page.feed(answer.text)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

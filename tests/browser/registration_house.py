"""What registration's pages stand in: the simulated AWS Marketplace in front, the seller's systems behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.browser.seller_backend import SellerBackend, running_backend
from tests.journeys.house import UNTIL_ACTIVE, until
from tests.running_simulator import Simulator
from tools.ports import free_port
from tools.stack import Stack

ROOT = Path(__file__).parents[2]
PROCESSES = (
    "simulator",
    "registration-web",
    "registration-worker",
    "notifications-web",
    "notifications-worker",
    "identity",
)
# A little more than anybody here needs who does not try for it.
SUBMITS_A_MINUTE = 12
START = "2026-11-22T14:00:00Z"  # the clock stands still until a test moves it

# From products.yaml: what a newcomer sees.
CLASSIC, ENDPOINTS, WORKBENCH = "Inference Classic", "Inference Endpoints", "Inference Workbench"
GENERATIONS = {"legacy": CLASSIC, "concurrent_agreements": ENDPOINTS}
# Beside them: one product for each thing that a seller may ask for.
STUDIO, VAULT, CLOUD, ANNUAL = "Inference Studio", "Inference Vault", "Inference Cloud", "Inference Annual"
# Listed at AWS, unknown to registration.
STRANGER = "Inference Elsewhere"


def more_products(backend: SellerBackend) -> list[dict[str, Any]]:
    def product(title: str, **more: Any) -> dict[str, Any]:
        name = title.split()[1].lower()
        return {
            "product_code": f"browser{name}",
            "product_id": f"prod-{name}",
            "title": title,
            "generation": "concurrent_agreements",
            "pricing_model": "subscription",
            "support": {"email": "support@seller.example"},
            "dimensions": [{"key": "hours", "title": "Hours", "unit": "Hours"}],
            "branding": {"seller": "Example Seller"},
            **more,
        }

    purpose = {
        "name": "purpose",
        "label": {"en": "What will you build?", "de": "Was möchten Sie bauen?"},
        "kind": "text",
        "required": True,
        "max_length": 100,
    }
    place = {
        "name": "place",
        "label": {"en": "Where shall it run?"},  # a seller who has no German for it
        "kind": "choice",
        "required": True,
        "options": [
            {"value": "eu", "label": {"en": "In Europe"}},
            {"value": "us", "label": {"en": "In America"}},
        ],
    }
    return [
        product(STUDIO, registration={"fields": [purpose, place]}),
        product(VAULT, registration={"sign_in": "required"}),
        product(CLOUD, registration={"hand_over": backend.address}),
        product(ANNUAL, generation="legacy", pricing_model="contract", registration={"sign_in": "off"}),
    ]


class RegistrationHouse:
    """A running stack with registration's pages, and what a test may do to it.

    Args:
        stack: PROCESSES and the fault proxy.
        backend: the seller's own.
    """

    def __init__(self, stack: Stack, backend: SellerBackend) -> None:
        self.stack = stack
        self.backend = backend
        self.simulator = Simulator(stack.urls["simulator"])
        self.landing = stack.urls["registration-web"] + "/register"
        # By another name of this machine, so that for the browser it is another site, as AWS is.
        self.storefront = other_site(stack.urls["simulator"])
        self._http = httpx.Client(timeout=30, trust_env=False)
        stranger = {
            "product_code": "browserstranger",
            "title": STRANGER,
            "generation": "concurrent_agreements",
            "dimensions": [{"key": "hours", "title": "Hours", "unit": "Hours"}],
            "registration_url": self.landing,
        }
        self.simulator.do("POST", "products", stranger)

    def close(self) -> None:
        self._http.close()

    def now(self) -> datetime:
        return datetime.fromisoformat(self.simulator.do("GET", "clock")["now"])

    def advance(self, by: timedelta) -> None:
        self.simulator.do("PUT", "clock", {"advance_seconds": by.total_seconds()})

    def until_active(self) -> None:
        """Moves on until AWS's news of what was bought has come due."""
        self.advance(UNTIL_ACTIVE)

    def newest_agreement(self) -> dict[str, Any]:
        newest: dict[str, Any] = self.simulator.do("GET", "agreements")["agreements"][-1]
        return newest

    def aws_fails(self, kind: str, operation: str) -> None:
        self.simulator.do("POST", "faults", {"kind": kind, "operation": operation})

    def tables_fail(self) -> None:
        """DynamoDB cuts off all of registration's calls."""
        answer = self._http.post(self._proxy, json={"kind": "down", "resource": "registrations"})
        assert answer.status_code == 201, answer.text

    def mend(self) -> None:
        """Ends all outages."""
        self.simulator.do("DELETE", "faults")
        self._http.delete(self._proxy).raise_for_status()
        self.backend.is_away()
        for name in self.stack.names:
            if not self.stack.is_running(name):
                self.stack.start(name)

    def letter_to(self, email: str) -> str:
        """Waits for the letter that confirms an account; answers it as it lies there. (The one that says that
        access is there may be out before it.)"""
        folder = self.stack.directory / "mail"

        def found() -> str:
            letters = (file.read_text() for file in folder.glob("welcome-letter-*.eml"))
            return next((letter for letter in letters if f"To: {email}\n" in letter), "")

        return until(found, "a letter")

    @property
    def _proxy(self) -> str:
        return self.stack.urls["fault-proxy"] + "/_faults/"


@contextmanager
def running_registration(directory: Path) -> Iterator[RegistrationHouse]:
    """Starts everything that registration's pages need, and stops it after."""
    with running_backend() as backend:
        products = directory / "products.yaml"
        products.write_text(yaml.safe_dump(catalogue(backend), allow_unicode=True))
        identity = free_port()
        process_environment: Mapping[str, Mapping[str, str]] = {
            "simulator": {"SIMULATOR_START": START},
            # A provider is another site too.
            "registration-web": {"OIDC_ISSUER": f"http://localhost:{identity}"},
        }
        environment = {
            "PRODUCTS_FILE": str(products),
            "HAND_OVER_SECRET": "whsec_bm90IHNlY3JldCwgZm9yIGxvY2FsIHRlc3Rz",
            "LANDINGS_RATE": "10000/minute",
            "SUBMITS_RATE": f"{SUBMITS_A_MINUTE}/minute",
            "AWS_ATTEMPTS": "1",  # each outage is seen at once
        }
        with Stack(
            directory,
            PROCESSES,
            environment=environment,
            process_environment=process_environment,
            ports={"identity": identity},
            faults=True,
        ) as stack:
            house = RegistrationHouse(stack, backend)
            yield house
            house.close()
            for worker in ("registration-worker", "notifications-worker"):
                stack.kill(worker)  # asked to stop, it would first end its long poll


def catalogue(backend: SellerBackend) -> dict[str, Any]:
    """products.yaml and what it has no example of."""
    products = yaml.safe_load((ROOT / "products.yaml").read_text())["products"]
    for product in products:
        product["branding"]["logo"] = str(ROOT / product["branding"]["logo"])
    return {"products": [*products, *more_products(backend)]}


def other_site(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")

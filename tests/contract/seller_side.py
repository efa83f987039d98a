"""What stands on the seller's side of a contract test: their back end, which names accounts and hears of what
happens, and the keys of their token issuer. One small server for all, and the catalogue of a seller who has
such a back end."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.contract.contracts import ROOT
from tests.contract.token_issuer import AUDIENCE, ISSUER, TokenIssuer

HANDED_OVER_PRODUCT = "5hexamplehandedover000000"
HAND_OVER_SECRET = "whsec_Y29udHJhY3QtdGVzdHMta25vdy10aGlzLXNlY3JldA=="

# Where webhooks may be sent: here all are taken; there nobody wants any.
WEBHOOKS, GONE = "/webhooks", "/gone"

# How the back end answers whom: by what stands before the @ of their e-mail address.
REFUSED, UNANSWERED = "refused", "unanswered"


@dataclass(frozen=True)
class Asked:
    """One hand-over or webhook as it came in."""

    headers: dict[str, str]
    body: bytes


class SellerSide:
    """The server, on a loopback port of its own, until it is closed."""

    def __init__(self) -> None:
        self.issuer = TokenIssuer()
        self.hand_overs: list[Asked] = []
        self.webhooks: list[Asked] = []
        side = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, side.issuer.jwks())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = Asked({name.lower(): value for name, value in self.headers.items()}, body)
                if self.path == WEBHOOKS:
                    side.webhooks.append(asked)
                    self._answer(200, {})
                elif self.path == GONE:
                    self._answer(410, {"detail": "Nobody listens here any more."})
                else:
                    side.hand_overs.append(asked)
                    self._answer(*_account(json.loads(body)))

            def _answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: a test's output is the test's."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def key_of(self, registration_id: str) -> str:
        """The idempotency key of the last hand-over of a registration, which is also its outbox item's id."""
        return next(
            one.headers["webhook-id"]
            for one in reversed(self.hand_overs)
            if json.loads(one.body)["registration_id"] == registration_id
        )

    def environment(self, folder: Path) -> dict[str, str]:
        """What the services must know of it. The catalogue is written into the folder."""
        return {
            "PRODUCTS_FILE": str(self._catalogue(folder)),
            "HAND_OVER_SECRET": HAND_OVER_SECRET,
            "JWKS_URL": f"{self.url}/jwks",
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
        }

    def _catalogue(self, folder: Path) -> Path:
        """The house's catalogue with one more product, whose buyers are handed over to this back end."""
        catalogue = yaml.safe_load((ROOT / "products.yaml").read_text())
        catalogue["products"].append(
            {
                "product_code": HANDED_OVER_PRODUCT,
                "product_id": "prod-handedoverexample",
                "title": "Inference Private",
                "generation": "concurrent_agreements",
                "pricing_model": "subscription",
                "support": {"email": "support@seller.example"},
                "dimensions": [{"key": "gpu_hours", "title": "GPU hours", "unit": "Hours"}],
                "registration": {
                    "hand_over": f"{self.url}/accounts",
                    "quick_launch": {"parameter": "ApiKey", "secret": "{deployment_secret}"},
                    "fields": [{"name": "purpose", "label": {"en": "Purpose"}, "kind": "text"}],
                },
            }
        )
        shutil.copytree(ROOT / "branding", folder / "branding")
        path = folder / "products.yaml"
        path.write_text(yaml.safe_dump(catalogue, allow_unicode=True))
        return path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _account(asked: dict[str, Any]) -> tuple[int, dict[str, str]]:
    who = asked["email"].partition("@")[0]
    if who.startswith(REFUSED):
        return 422, {"detail": "This address has no account with us."}
    if who.startswith(UNANSWERED):
        return 503, {}
    # One account for each purchase: no answer depends on the requests before it.
    account_id = f"account-{asked['subscription_id']}"
    return 201, {"account_id": account_id, "deployment_secret": "a key of the account"}

"""Lists our catalogue at the simulated AWS Marketplace and tells it where news and buyers go. Safe to repeat.

    python tools/connect_simulator.py http://simulator:8000 products.yaml \
        --landing-page http://localhost:8102/register --queue marketplane-notifications
"""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml


def connect(simulator: str, products_file: Path, *, landing_page: str = "", queue: str = "") -> None:
    """Makes the simulator's half of what a seller sets up with AWS once.

    Args:
        simulator: its address.
        products_file: the catalogue; every product of it gets listed.
        landing_page: where its storefront sends buyers, if anywhere.
        queue: the SQS queue that AWS's topics deliver to, if any.

    Raises:
        OSError: the simulator is away, or refused something; its words are in the message.
    """
    for product in yaml.safe_load(products_file.read_text())["products"]:
        post(simulator, "products", product | ({"registration_url": landing_page} if landing_page else {}))
    if queue:
        post(simulator, "deliveries", {"sns_to_queue": queue})


def post(simulator: str, what: str, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    url = f"{simulator}/_simulator/{what}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        opener.open(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"POST {url} answered {error.code}: {error.read()[:1000]!r}") from None


def main() -> None:
    parser = argparse.ArgumentParser(description="Lists our catalogue at the simulator.")
    parser.add_argument("simulator")
    parser.add_argument("products_file", type=Path)
    parser.add_argument("--landing-page", default="")
    parser.add_argument("--queue", default="")
    options = parser.parse_args()
    connect(options.simulator, options.products_file, landing_page=options.landing_page, queue=options.queue)


if __name__ == "__main__":
    main()

"""AWS's list prices in us-east-1, in US dollars, without free tiers and discounts. Put your own in here, then
`make costs`.

Each has where it was read. "check" is a price as known in 2026 for which no page of that year was found:
look it up. None was read from AWS's own pricing pages, the only ones that count.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """Dollars for one of `unit`."""

    dollars: float
    unit: str
    source: str

    def row(self, name: str) -> str:
        return f"| {name} | {self.dollars:g} | {self.unit} | {self.source} |"


MILLION = 1_000_000
CHECK = "list price as known in 2026, check"

PRICES: dict[str, Price] = {
    "DynamoDB write": Price(0.625, "million units", "docs/performance.md, November 2026"),
    "DynamoDB read": Price(0.125, "million units", "docs/performance.md, November 2026"),
    "DynamoDB storage": Price(0.25, "GB month", CHECK),
    "DynamoDB recovery (PITR)": Price(0.20, "GB month", CHECK),
    "Fargate vCPU": Price(0.04048, "vCPU hour (Linux, x86)", "wring.co, March 2026"),
    "Fargate memory": Price(0.004445, "GB hour (Linux, x86)", "wring.co, March 2026"),
    "load balancer": Price(0.0225, "hour", "awsnegotiations.com, May 2026"),
    "load balancer's capacity": Price(0.008, "LCU hour", "awsnegotiations.com, May 2026"),
    "NAT gateway": Price(0.045, "hour", "patotski.com, 2026"),
    "NAT gateway's traffic": Price(0.045, "GB", "patotski.com, 2026"),
    "public address": Price(0.005, "hour", CHECK),
    "logs taken in": Price(0.50, "GB", "factualminds.com, June 2026"),
    "logs kept": Price(0.03, "GB month", CHECK),
    "metric of one's own": Price(0.30, "month", "signoz.io, February 2026"),
    "alarm": Price(0.10, "month", CHECK),
    "dashboard": Price(3.00, "month", "factualminds.com, June 2026"),
    "SQS request": Price(0.40, "million", "cloudburn.io, March 2026"),
    "secret": Price(0.40, "month", "hivebook.wiki, 2026"),
}


def dollars(name: str, quantity: float) -> float:
    """What `quantity` of the price's unit costs. Millions are counted in millions."""
    return PRICES[name].dollars * quantity

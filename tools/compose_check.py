"""Does docker-compose.yml run the same processes as the Procfile, in the same roles and with the same
variables?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import urlsplit

import yaml

from tools.stack import ROOT, SERVICES, Stack, procfile

# What the machine gives in one case and the image in the other.
OF_THE_MACHINE = {"PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME", "TZ"}
OF_PYTHON = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
OF_THE_IMAGE = {"HOST", "PORT", "PRODUCTS_FILE", "CONTRACTS_DIR"}
# In a container there is no user's AWS set-up to keep out.
AGAINST_THE_USERS_OWN = {
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_DEFAULT_REGION",
}


def differences() -> list[str]:
    """A sentence for each difference; none when the two files say the same."""
    return list(_differences(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]))


def _differences(containers: dict[str, Any]) -> Iterator[str]:
    processes = procfile()
    jobs = {
        name for name, container in containers.items() if "marketplane.job" in container.get("labels", {})
    }
    for name in processes.keys() - containers.keys():
        yield f"{name} is in the Procfile, but not in docker-compose.yml."
    for name in containers.keys() - jobs - processes.keys():
        yield f"{name} is in docker-compose.yml, but not in the Procfile."
    for service in SERVICES:
        if f"{service}-tables" not in jobs:
            yield f"docker-compose.yml has no job {service}-tables: nobody makes the tables of {service}."
    stack = Stack(Path(gettempdir()) / "never-started")
    for name in processes.keys() & containers.keys():
        container = containers[name]
        service, _, role = name.rpartition("-")
        if "restart" in container and role not in container.get("command", []):
            yield f"{name} does not run the word {role} in docker-compose.yml."
        if service not in SERVICES:
            continue
        if shlex.split(processes[name])[-1] != role:
            yield f"{name} does not run the word {role} in the Procfile."
        if container.get("image") != f"marketplane/{service}":
            yield f"{name} does not run the image of {service}."
        if not container.get("depends_on"):
            yield f"{name} waits for nobody in docker-compose.yml."
        here = (
            set(stack.environment_of(name))
            - OF_THE_MACHINE
            - OF_PYTHON
            - OF_THE_IMAGE
            - AGAINST_THE_USERS_OWN
        )
        there = set(container.get("environment", {}))
        if here != there:
            yield f"{name} has other variables: {', '.join(sorted(here ^ there))} is in one place only."

    yield from _issuer_differences(containers)
    yield from _portal_differences(containers, set(stack.web_variables()))


def _portal_differences(containers: dict[str, Any], expected: set[str]) -> Iterator[str]:
    """What the portal's server says is for browsers: they reach the services by the ports that are
    published."""
    variables = containers.get("web", {}).get("environment", {})
    if expected != set(variables):
        yield f"web has other variables: {', '.join(sorted(expected ^ set(variables)))} is in one place only."
    for service in SERVICES:
        port = urlsplit(variables.get(f"{service.upper()}_URL", "")).port
        if f"127.0.0.1:{port}:8000" not in containers.get(f"{service}-web", {}).get("ports", []):
            yield f"web sends browsers to port {port} for {service}, which it does not publish."


def _issuer_differences(containers: dict[str, Any]) -> Iterator[str]:
    """The identity provider's address is in every token: containers and browser must reach it by the same
    one."""
    identity = containers.get("identity", {})
    for name, container in containers.items():
        variables = container.get("environment", {})
        named = [variables[one] for one in ("OIDC_ISSUER", "JWT_ISSUER", "JWKS_URL") if one in variables]
        for hostname, port in dict.fromkeys(
            (address.hostname, str(address.port)) for address in map(urlsplit, named)
        ):
            yield from _provider_differences(name, hostname, port, identity)
        audiences = {one.get("environment", {}).get("JWT_AUDIENCE") for one in (container, identity)}
        if "JWKS_URL" in variables and len(audiences) > 1:
            yield f"{name} takes tokens for another audience than the identity provider's."


def _provider_differences(
    name: str, hostname: str | None, port: str, identity: dict[str, Any]
) -> Iterator[str]:
    if hostname not in identity.get("networks", {}).get("default", {}).get("aliases", []):
        yield f"{name} seeks the identity provider as {hostname}, which is no alias of it."
    if identity.get("environment", {}).get("PORT") != port:
        yield f"{name} seeks the identity provider at port {port}, where it does not listen."
    if f"127.0.0.1:{port}:{port}" not in identity.get("ports", []):
        yield f"{name} sends browsers to port {port}, which it does not publish."


def main() -> int:
    found = differences()
    for difference in found:
        print(difference)
    if not found:
        print("docker-compose.yml and Procfile run the same processes.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

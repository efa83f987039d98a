"""Serves the built pages of `web/dist` as any web server would, with the configuration and headers they need.

For desks, tests and the container. What another server has to do in its place is in web/README.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HERE = Path(__file__).parent
SILENT = "/silent-callback.html"
A_YEAR = 31_536_000
# Keys of config.json by environment variable; one that is not set is left out: the pages have its default.
SERVICES = {
    "REGISTRATION_URL": "registration",
    "NOTIFICATIONS_URL": "notifications",
    "METERING_URL": "metering",
}
SIGN_IN = {
    "OIDC_ISSUER": "issuer",
    "OIDC_CLIENT_ID": "client_id",
    "OIDC_BUYER_SCOPE": "buyer_scope",
    "OIDC_OPERATOR_SCOPE": "operator_scope",
    "OIDC_AUDIENCE": "audience",
    "OIDC_RESOURCE": "resource",
}
BRAND = {"SELLER": "seller", "SUPPORT_EMAIL": "support_email", "SUPPORT_URL": "support_url"}


def build(variables: Mapping[str, str]) -> Starlette:
    """The server.

    Args:
        variables: the environment; see web/README.md.

    Raises:
        KeyError: an address of a service, the issuer or the client id is missing.
        FileNotFoundError: the pages are not built, or the logo is not there.
    """
    pages = Path(variables.get("PAGES", HERE / "dist"))
    if not (pages / "index.html").is_file():
        raise FileNotFoundError(f"{pages} has no index.html: `make setup` builds the pages.")
    logo = Path(variables["LOGO"]) if variables.get("LOGO") else None
    if logo is not None and not logo.is_file():
        raise FileNotFoundError(f"LOGO is {logo}, and there is no such file.")
    config = configuration(variables, logo)

    async def show_config(_: Request) -> Response:
        return JSONResponse(config)

    async def show_logo(_: Request) -> Response:
        return FileResponse(logo) if logo is not None else Response(status_code=404)

    async def ready(_: Request) -> Response:
        return JSONResponse({"status": "ready", "service": "web"})

    routes = [
        Route("/config.json", show_config),
        Route("/readyz", ready),
        Mount("/", StaticFiles(directory=pages, html=True)),
    ]
    if logo is not None:
        routes.insert(0, Route(f"/logo{logo.suffix}", show_logo))
    middleware = [Middleware(Headers, config=config), Middleware(GZipMiddleware, minimum_size=1000)]
    return Starlette(routes=routes, middleware=middleware)


class Headers:
    """Puts on each answer how it may be kept, and what a page of ours may do."""

    def __init__(self, app: ASGIApp, config: Mapping[str, object]) -> None:
        self._app = app
        self._policies = {framed: policy(config, framed=framed) for framed in (False, True)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                path, headers = scope["path"], MutableHeaders(scope=message)
                hashed = path.startswith("/assets/") and message["status"] == 200
                headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if hashed else "no-cache"
                headers["Content-Security-Policy"] = self._policies[path == SILENT]
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def configuration(variables: Mapping[str, str], logo: Path | None) -> dict[str, object]:
    """What `/config.json` says; the keys are described in web/README.md."""
    for name in (*SERVICES, "OIDC_ISSUER", "OIDC_CLIENT_ID"):
        if not variables.get(name):
            raise KeyError(f"{name} is not set.")

    def section(keys: Mapping[str, str]) -> dict[str, str]:
        return {key: variables[name] for name, key in keys.items() if variables.get(name)}

    config: dict[str, object] = {"services": section(SERVICES), "sign_in": section(SIGN_IN)}
    config["brand"] = section(BRAND) | ({"logo": f"logo{logo.suffix}"} if logo is not None else {})
    if variables.get("AWS_MARKETPLACE_URL"):
        config["aws_marketplace_url"] = variables["AWS_MARKETPLACE_URL"]
    return config


def policy(config: Mapping[str, object], *, framed: bool) -> str:
    """The Content-Security-Policy. Only the page of the silent sign-in may stand in a frame, of ours."""
    services, sign_in = config["services"], config["sign_in"]
    assert isinstance(services, dict)
    assert isinstance(sign_in, dict)
    issuer = origin(sign_in["issuer"])
    spoken_to = " ".join(dict.fromkeys([*map(origin, services.values()), issuer]))
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' {spoken_to}",
        "frame-src": f"'self' {issuer}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'" if framed else "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def app() -> Starlette:
    """What uvicorn runs, with `--factory`."""
    return build(os.environ)

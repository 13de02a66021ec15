"""Who may do what, before there are accounts: a browser on another site may not act here at all,
and what touches this machine's files is for this machine alone.

Three attacks are meant. A page elsewhere that posts to us: browsers say where a request comes from
(`Sec-Fetch-Site`, https://www.w3.org/TR/fetch-metadata/, else `Origin`). A name that is rebound to
127.0.0.1: its requests carry that name as Host. A post whose text is HTML: the page never makes
markup of it, and its content security policy would run none.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fairwitness.server.bodies import json
from fairwitness.server.errors import ApiError, error_body

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Guard:
    """Middleware: refuses what another site asks us to do, and adds headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        if scope["method"] not in _READING and not same_site(headers):
            message = f"requests from another site are refused: {headers.get('origin', '')[:80]}"
            refused = json(error_body(403, message, None, "cross_site"), 403)
            await refused(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def same_site(headers: Headers) -> bool:
    """Return whether a request comes from our own page or from no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def require_local(request: Request) -> None:
    """Refuse with ApiError unless a program on this machine asks, by a name of this machine."""
    host = request.client.host if request.client else ""
    if not _is_loopback(host):
        raise ApiError(403, f"only for clients on this machine, not {host}", code="not_local")
    if any(name in request.headers for name in _FORWARDED):
        raise ApiError(
            403, "only for clients on this machine, not through a proxy", code="not_local"
        )
    asked = request.headers.get("host", "")
    name = urlsplit(f"//{asked}").hostname or ""
    if name != "localhost" and not _is_loopback(name):
        raise ApiError(
            403, f"only under a name of this machine, not {asked[:80]}", code="not_local"
        )
    if not same_site(request.headers):
        raise ApiError(403, "requests from another site are refused", code="cross_site")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback

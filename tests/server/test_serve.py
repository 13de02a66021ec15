"""From taking the port to putting everything away."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx2
import pytest

from fairwitness.home import Home, holder
from fairwitness.posts.log import read
from fairwitness.server import PortTaken, ServerError, bind, url_of


def test_a_port_in_use_is_named_with_the_option() -> None:
    with bind("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
        door.listen()
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is in use.*--port"):
            bind("127.0.0.1", port)


def test_a_place_that_is_not_ours_is_said() -> None:
    with pytest.raises(ServerError, match=r"cannot serve on 203\.0\.113\.1:1"):
        bind("203.0.113.1", 1)
    with pytest.raises(ServerError, match="cannot serve on no such host"):
        bind("no such host", 1)


def test_the_address_is_one_that_this_machine_can_use() -> None:
    with bind("0.0.0.0", 0) as door:
        assert url_of(door) == f"http://127.0.0.1:{door.getsockname()[1]}"
    if socket.has_ipv6:
        with bind("::1", 0) as door:
            assert url_of(door) == f"http://[::1]:{door.getsockname()[1]}"


SCRIPT = """
import asyncio, sys
from pathlib import Path
from fairwitness.home import Home
from fairwitness.posts.post import Post, Posted
from fairwitness.posts.source import SourceBatch
from fairwitness.server import House, serve

class Ticking:
    name = "ticking"
    async def batches(self, cursor):
        number = int(cursor or 0)
        while True:
            number += 1
            yield SourceBatch((Posted(Post(id=f"t:{number}", network="test", author="a",
                author_id="a", text=f"Tick number {number}", created_ms=number,
                seen_ms=number)),), str(number))
            await asyncio.sleep(0.002)

home = Home(Path(sys.argv[1]), "up")
serve(House(home, sources=[Ticking()]), "127.0.0.1", 0)
home.close()
print("put away")
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order_and_loses_nothing(tmp_path: Path, stop: int) -> None:
    folder = tmp_path / "home"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            url = _announced(folder, process)
            with httpx2.stream("GET", f"{url}/v1/status/stream", timeout=10) as reply:
                lines = reply.iter_lines()
                next(lines)
                time.sleep(0.3)
                process.send_signal(stop)
                list(lines)
            out, _ = process.communicate(timeout=15)
        finally:
            process.kill()
    assert (process.returncode, out.strip()) == (0, "put away")
    assert holder(folder) is None
    logged = [event.post.id for _, batch in read(folder / "log") for event in batch.events]
    assert len(logged) > 20
    assert logged == [f"t:{n}" for n in range(1, len(logged) + 1)]
    home = Home(folder, "test")
    assert home.index.stats().posts == len(logged)
    assert home.index.position == home.log.position
    home.close()


def _announced(folder: Path, process: subprocess.Popen[str]) -> str:
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s and process.poll() is None:
        held = holder(folder)
        if held and held.url:
            assert (held.verb, held.pid) == ("up", process.pid)
            return held.url
        time.sleep(0.02)
    raise AssertionError("the server did not announce itself")


def test_importing_the_server_is_quick_and_brings_no_jax() -> None:
    code = "import fairwitness.server, sys; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""From taking the port to putting everything away."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import IO

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
import sys
from pathlib import Path
from fairwitness.home import Sources, Writer
from fairwitness.server import House, serve

writer = Writer(Path(sys.argv[1]), "up", Sources(("-",), network="test"))
serve(House(writer), "127.0.0.1", 0)
writer.close()
print("put away")
"""


SOME = 20  # posts; it takes a while until the process that reads has begun


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order_and_loses_nothing(tmp_path: Path, stop: int) -> None:
    folder = tmp_path / "home"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        ticking = threading.Thread(target=_tick, args=[process.stdin])
        ticking.start()
        try:
            url = _announced(folder, process)
            with httpx2.stream("GET", f"{url}/v1/status/stream", timeout=10) as reply:
                ticks = iter(httpx2.EventSource(reply))
                assert any(json.loads(tick.data)["posts"] > SOME for tick in ticks)
                process.send_signal(stop)
                list(ticks)
            out = process.stdout.read()
            process.wait(15)
        finally:
            process.kill()
            ticking.join()
    assert (process.returncode, out.strip()) == (0, "put away")
    assert holder(folder) is None
    logged = [event.post.id for _, batch in read(folder / "log") for event in batch.events]
    assert len(logged) > SOME
    assert [int(each.rpartition(":")[2]) for each in logged] == list(range(1, len(logged) + 1))
    home = Home(folder, "test")
    assert home.index.stats().posts == len(logged)
    assert home.index.position == home.log.position
    home.close()


def _tick(out: IO[str]) -> None:
    """Say something new all the time, until nobody listens."""
    with contextlib.suppress(OSError, ValueError):
        for number in itertools.count(1):
            row = {"id": f"{number}", "author": "a", "text": f"Tick number {number}", "ts": number}
            out.write(json.dumps(row) + "\n")
            out.flush()
            time.sleep(0.002)
    with contextlib.suppress(OSError):
        out.close()


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

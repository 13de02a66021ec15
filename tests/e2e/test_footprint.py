"""What the command does not do behind one's back: speak to anybody, or bring what nobody needs."""

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

# Whoever is spoken to over a network is named on standard error, and the command ends.
_WATCHED = """
import os, sys
def heard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print("CALLED", event, args, file=sys.stderr, flush=True)
        os._exit(9)
sys.addaudithook(heard)
if sys.argv[1] == "--call":
    import socket
    socket.getaddrinfo("example.org", 443)
from fairwitness.cli.main import main
main()
"""


def watched(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", _WATCHED, *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_nobody_is_spoken_to(tmp_path: Path) -> None:
    posts = tmp_path / "posts.jsonl"
    posts.write_text(
        '{"id": "1", "author": "ana", "text": "The lighthouse of Marwick is on fire"}\n'
    )
    took = watched(tmp_path / "home", "ingest", str(posts))
    assert took.returncode == 0, took.stderr
    question = "What happened to the lighthouse of Marwick?"
    for words in (("search", "lighthouse"), ("ask", "--deep", question, "--model", "none")):
        done = watched(tmp_path / "home", *words)
        assert (done.returncode, "CALLED" in done.stderr) == (0, False), done.stderr
        assert "lighthouse of Marwick is on fire" in done.stdout


def test_whoever_spoke_would_be_heard(tmp_path: Path) -> None:
    done = watched(tmp_path / "home", "--call")
    assert done.returncode == 9
    assert "CALLED socket.getaddrinfo" in done.stderr


def test_no_torch_is_installed_with_it() -> None:
    needed = [each for each in requires("fairwitness") or [] if "extra ==" not in each]
    assert needed
    assert not [each for each in needed if each.startswith(("torch", "tensorflow"))]

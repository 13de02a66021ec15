"""What every test may ask for."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))  # stretched.py

# A shell ignores Ctrl-C for what it starts in the background, and whatever a process ignores its
# children ignore too: then no test of Ctrl-C could pass.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real captures beside the checkout; tests that need it skip without it."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"REAL DATA MISSING: no folder {SHARED}/data beside this checkout")
    return SHARED


@contextmanager
def held(engine: Any) -> Iterator[None]:
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go.wait(30)

    thread = threading.Thread(target=engine._loop.call, args=(hold,))
    thread.start()
    begun.wait(30)
    try:
        yield
    finally:
        go.set()
        thread.join(30)


@pytest.fixture(scope="session")
def holding() -> Callable[[Any], AbstractContextManager[None]]:
    """Keep an engine from stepping, so that what is asked meanwhile runs together."""
    return held

"""The compiled kernels, when there are any: one library, opened once.

Every kernel has a plain twin in Python, so a missing library costs speed and nothing else. A
library that was made of other sources than those beside it is never used: in a checkout it is
built again, elsewhere it is refused and the log says how to rebuild. `FAIRWITNESS_PLAIN=1` leaves
the library out. ctypes lets go of the GIL while a kernel runs.
"""

import ctypes
import functools
import logging
import os
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fairwitness.kernels import build

PLAIN = "FAIRWITNESS_PLAIN"
"""The environment variable that chooses the plain twins; anything but empty or 0 does."""

_CHECKOUT = Path(__file__).resolve().parents[3]
_log = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, or None when the plain twins have to do."""
    if os.environ.get(PLAIN, "") not in ("", "0"):
        return None
    opened = _open()
    if opened is not None:
        return opened
    if not (_CHECKOUT / "hatch_build.py").exists():
        if build.LIBRARY.exists():
            _log.warning(
                "%s is not of these sources, plain Python takes its place; rebuild it with "
                "`python -m fairwitness.kernels.build`",
                build.LIBRARY,
            )
        return None
    try:
        build.build()
    except (build.BuildFailed, OSError) as error:
        _log.warning("no native kernels, plain Python takes their place: %s", error)
        return None
    return _open()


def at(array: NDArray[Any]) -> ctypes.c_void_p:
    """Return where an array's numbers begin, as an argument for a kernel.

    A kernel knows nothing of steps and owners: the array has to be in one piece, and the caller
    has to hold on to it until the kernel is done.
    """
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def count(number: int) -> ctypes.c_int64:
    """Return a number of things as an argument for a kernel."""
    return ctypes.c_int64(number)


def _open() -> ctypes.CDLL | None:
    """Return the library if it is of the sources beside it and can be loaded."""
    try:
        # Read before it is loaded: a name that was loaded once gives the same library for ever.
        if build.sources_hash().encode() in build.LIBRARY.read_bytes():
            return ctypes.CDLL(str(build.LIBRARY))
    except OSError:
        pass
    return None

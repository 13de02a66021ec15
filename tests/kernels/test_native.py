"""The library is built from the sources beside it, refused when stale, and never needed."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fairwitness.kernels import build, native, texts

SAY = "from fairwitness.kernels import native; print(native.library() is not None)"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the kernels alone, with one small kernel in it."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("NO C++ COMPILER: the native kernels are not tested")
    room = tmp_path / "src" / "fairwitness" / "kernels"
    (room / "csrc").mkdir(parents=True)
    (room.parent / "__init__.py").touch()
    for name in ("__init__.py", "build.py", "native.py"):
        shutil.copy(build.FOLDER / name, room)
    shutil.copy(build.CSRC / "kernel.h", room / "csrc")
    (room / "csrc" / "one.cpp").write_text(
        '#include "kernel.h"\nFW_EXPORT int fw_one() {return 1;}'
    )
    (tmp_path / "hatch_build.py").touch()
    return tmp_path


def says(checkout: Path, **more: str) -> tuple[bool, str]:
    """Return whether a new process finds a library, and what it complains of."""
    path = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(
        [sys.executable, "-c", SAY],
        env={**path, **more},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() == "True", done.stderr


def library_of(checkout: Path) -> Path:
    return checkout / "src" / "fairwitness" / "kernels" / "_native.so"


def test_a_checkout_builds_what_is_missing_or_stale(checkout: Path) -> None:
    library = library_of(checkout)
    assert says(checkout) == (True, "")
    built = library.stat().st_ino
    assert says(checkout) == (True, "")
    assert library.stat().st_ino == built, "nothing has changed since"
    source = library.parent / "csrc" / "one.cpp"
    source.write_text(source.read_text().replace("1", "2"))
    assert says(checkout) == (True, "")
    assert library.stat().st_ino != built


def test_an_installed_library_that_is_stale_is_refused(checkout: Path) -> None:
    assert says(checkout) == (True, "")
    (checkout / "hatch_build.py").unlink()
    assert says(checkout) == (True, "")
    (library_of(checkout).parent / "csrc" / "two.cpp").touch()
    found, complaint = says(checkout)
    assert not found
    assert "python -m fairwitness.kernels.build" in complaint
    library_of(checkout).unlink()
    assert says(checkout) == (False, ""), "installed without a compiler: said then"


def test_sources_that_do_not_compile_cost_speed_only(checkout: Path) -> None:
    (library_of(checkout).parent / "csrc" / "two.cpp").write_text("nonsense")
    found, complaint = says(checkout)
    assert not found
    assert "nonsense" in complaint
    found, complaint = says(checkout, CXX="no-such-compiler")
    assert not found
    assert "no-such-compiler" in complaint


def test_a_damaged_library_is_built_again(checkout: Path) -> None:
    library_of(checkout).write_bytes(b"\x7fELF and nothing else")
    assert says(checkout) == (True, "")


def test_plain_python_can_be_chosen(checkout: Path) -> None:
    assert says(checkout, FAIRWITNESS_PLAIN="1") == (False, "")
    assert not library_of(checkout).exists()
    assert says(checkout, FAIRWITNESS_PLAIN="0") == (True, "")


def test_this_checkout_has_its_library() -> None:
    if native.library() is None:
        pytest.skip("NO NATIVE KERNELS: the kernels are not tested")
    assert native.library() is native.library()


def test_texts_are_packed_with_their_ends() -> None:
    packed = texts.pack(["abc", "", "é津", "\ud800"])
    assert packed.blob == "abcé津?".encode()
    assert packed.ends.tolist() == [3, 3, 8, 9]
    assert packed.ends.dtype == np.int64
    assert texts.pack(["\ud800"], "surrogatepass").blob == b"\xed\xa0\x80"
    assert len(texts.pack([])) == 0

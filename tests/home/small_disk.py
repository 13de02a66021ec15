"""Open a home on a disk that is full, or may only be read; run in a mount namespace of its own.

unshare -rm python small_disk.py FOLDER
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from fairwitness.home import Home


def opened(folder: Path) -> str:
    """Return what opening says to a process of its own."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            Home(folder, "test").close()
            said = "opened"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    said = os.read(reading, 10_000).decode()
    os.close(reading)
    _, status = os.wait()
    return said or f"ended with {os.waitstatus_to_exitcode(status)}"


def fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
    except OSError:
        return


def main() -> None:
    disk = Path(sys.argv[1])
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    said = {"room": opened(disk / "home")}
    fill(disk / "ballast")
    # What an orderly end leaves gives room when it is taken up; a kill leaves nothing.
    said["full, after an orderly end"] = opened(disk / "home")
    (disk / "home/index/slices/000000000000/rest").unlink()
    fill(disk / "more ballast")
    said["full"] = opened(disk / "home")
    said["full, new"] = opened(disk / "new")
    (disk / "ballast").unlink()
    (disk / "more ballast").unlink()
    said["room again"] = opened(disk / "home")
    said["room again, new"] = opened(disk / "new")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    said["read-only"] = opened(disk / "home")
    said["read-only, new"] = opened(disk / "other")
    print(json.dumps(said))


if __name__ == "__main__":
    main()

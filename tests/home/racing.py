"""Many processes open one home at the same moment, while others look who holds it.

A program of its own, so that it can fork: it starts no thread itself. Prints what each round said.

    python racing.py HOME ROUNDS PROCESSES
"""

import json
import os
import sys
from pathlib import Path

from fairwitness.home import Home, HomeBusy, holder


def try_to_open(folder: Path, start: int, told: int, finish: int) -> None:
    os.read(start, 1)
    holder(folder)
    try:
        home = Home(folder, "race")
    except HomeBusy as error:
        os.write(told, json.dumps({"won": False, "said": str(error)}).encode() + b"\n")
        os._exit(0)
    os.write(told, json.dumps({"won": True, "said": str(os.getpid())}).encode() + b"\n")
    os.read(finish, 1)
    home.close()
    os._exit(0)


def look_all_the_time(folder: Path, start: int, finish: int) -> None:
    os.read(start, 1)
    os.set_blocking(finish, False)
    while True:
        holder(folder)
        try:
            if os.read(finish, 1) == b"":
                os._exit(0)
        except BlockingIOError:
            pass


def one_round(folder: Path, processes: int) -> list[dict[str, object]]:
    start, begin = os.pipe()
    telling, told = os.pipe()
    finish, end = os.pipe()
    children = []
    for number in range(processes + 2):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.close(end)
            if number < processes:
                try_to_open(folder, start, told, finish)
            look_all_the_time(folder, start, finish)
        children.append(child)
    os.close(begin)  # all begin now
    lines = b""
    while lines.count(b"\n") < processes:
        lines += os.read(telling, 65536)
    os.close(end)
    for child in children:
        os.waitpid(child, 0)
    for descriptor in (start, telling, told, finish):
        os.close(descriptor)
    return [json.loads(line) for line in lines.splitlines()]


def main() -> None:
    folder, rounds, processes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps([one_round(folder, processes) for _ in range(rounds)]))


if __name__ == "__main__":
    main()

"""Search, fork, and search in the child; a program of its own, since pytest has threads.

python forking.py FOLDER
"""

import os
import sys
from pathlib import Path

from fairwitness.index import LiveIndex, Query


def main() -> None:
    index = LiveIndex.open(Path(sys.argv[1]), read_only=True)
    query = Query(words="big earthquake", meaning="big earthquake in Japan")
    before = len(index.search(query).hits)
    child = os.fork()
    if child == 0:
        os._exit(len(index.search(query).hits))
    _, status = os.waitpid(child, 0)
    print(before, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()

"""A fresh process with nothing but the engine: how soon it writes, and how much memory it holds.

Run: python -m fairwitness.evals.engine_cold MODEL_FILE STARTED, where STARTED is `time.time()`.
"""

import json
import sys
import time
from pathlib import Path

from fairwitness.engine import Engine, Request
from fairwitness.evals.machine import rss_gb


def main() -> None:
    """Print seconds to the first token, and memory before the model and with it."""
    path, started = Path(sys.argv[1]), float(sys.argv[2])
    before_gb = rss_gb()
    engine = Engine(path)
    request = Request(tuple(range(1, 33)), 17)
    tokens = engine.generate(request)
    next(tokens)
    first_s = time.time() - started
    list(tokens)
    print(json.dumps({"cold_start_s": first_s, "rss_gb": rss_gb(), "before_gb": before_gb}))


if __name__ == "__main__":
    main()

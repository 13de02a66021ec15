"""kill -9 at any moment loses nothing that was acknowledged, and doubles nothing."""

import json
import subprocess
import sys
from pathlib import Path

POSTS = 100_000
KILLS = 100


def test_a_hundred_kills_leave_every_post_exactly_once(tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl"
    rows = ({"id": str(n), "text": f"post {n} says the bridge is closed"} for n in range(POSTS))
    capture.write_text("".join(json.dumps({**row, "ts": 1_700_000_000}) + "\n" for row in rows))
    program = Path(__file__).with_name("kill_ingest.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "home"), str(capture), str(KILLS), "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert told["killed"] >= KILLS * 0.9, "most kills came after the end: the capture is too short"
    assert told["twice"] == []
    assert told["logged"] == told["wanted"] == told["found"] == POSTS
    assert told["indexed"] == told["versions"] == POSTS

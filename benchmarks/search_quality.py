"""Does meaning find more than words alone?

python benchmarks/search_quality.py ../shared/data > quality.json
"""

import sys
from pathlib import Path

import msgspec

from fairwitness.evals.quality import measure, sets


def main() -> None:
    figures = [part for one in sets(Path(sys.argv[1])) for part in measure(one)]
    for part in figures:
        told = f"{part.ndcg_10:.3f} {part.map_5:.3f} {part.recall_10:.3f} {part.recall_100:.3f}"
        print(f"{part.name:28} {part.way:8} {told}", file=sys.stderr)
    print(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()

"""Does meaning find more than words alone?

    python benchmarks/search_quality.py ../shared/data [--json]

A table of nDCG@10, MAP@5, recall@10 and recall@100, of each way on each set. `ir-agentset` is its
four parts, each question counted once; `cross-lingual` is MGSM without digits in the languages that
the table of meanings knows, an English question for its translation.

It fails where both together are worse than the better of the two on a set of NAMED, in either
measure, or gain less than 3 points over words alone on their average.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fairwitness.evals.judged import AGENTSET
from fairwitness.evals.quality import Figures, measure, sets, together

KNOWN = ("ja", "zh", "es", "de", "fr", "ru", "th")
GROUPS = {
    "ir-agentset": [f"agentset {part}" for part in AGENTSET],
    "cross-lingual": [f"mgsm en-{lang} no digits" for lang in KNOWN],
}
NAMED = ("ir-agentset", "cranfield", "known-lie")
MEASURES = ("ndcg_10", "map_5")
LEAST_GAIN = 0.03
HEAD = "| set | questions | way | nDCG@10 | MAP@5 | recall@10 | recall@100 |\n" + "|---" * 7 + "|"


def with_groups(figures: Sequence[Figures]) -> list[Figures]:
    grouped = list(figures)
    for name, members in GROUPS.items():
        for way in dict.fromkeys(part.way for part in figures):
            mine = [part for part in figures if part.way == way and part.name in members]
            grouped.append(together(name, mine))
    return grouped


def broken(figures: Sequence[Figures]) -> list[str]:
    """Return what does not hold of `both` on the sets of NAMED, a line each."""
    worth = {(part.name, part.way): part for part in figures}
    told = []
    for of in MEASURES:
        gained = []
        for name in NAMED:
            words, meaning, both = (
                getattr(worth[name, way], of) for way in ("words", "meaning", "both")
            )
            gained.append(both - words)
            if both < max(words, meaning):
                told.append(
                    f"{name}: {of} of both is {both}, {words} by words, {meaning} by meaning"
                )
        if sum(gained) / len(gained) < LEAST_GAIN:
            told.append(f"{of}: both gain {sum(gained) / len(gained):.4f} over words")
    return told


def main() -> None:
    figures = with_groups([part for one in sets(Path(sys.argv[1])) for part in measure(one)])
    if "--json" in sys.argv:
        print(msgspec.json.encode(figures).decode())
    else:
        print(HEAD)
        for part in figures:
            told = (part.ndcg_10, part.map_5, part.recall_10, part.recall_100)
            measures = " | ".join(f"{share:.3f}" for share in told)
            print(f"| {part.name} | {part.questions} | {part.way} | {measures} |")
    if lines := broken(figures):
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()

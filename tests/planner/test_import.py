"""The room is light: who wants one formula does not wait for JAX, pint or a simulation."""

import statistics
import subprocess
import sys

import pytest

from fairwitness.planner.verbs import VERBS

CODE = """
import sys, time
start = time.process_time()
import {module}
print(time.process_time() - start, *(name for name in sys.modules if "." not in name))
"""


# Processor seconds. Measured 0.15 s, of which numpy is 0.09. The bound leaves room for tests that
# run beside this one, and is still broken by pint (0.15 s) or JAX (1 s).
@pytest.mark.parametrize("module", ["fairwitness.planner", "fairwitness.planner.verbs"])
def test_importing_the_room_is_quick_and_brings_nothing_heavy(module: str) -> None:
    took_s = []
    for _ in range(3):
        told = subprocess.run(
            [sys.executable, "-c", CODE.format(module=module)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        seconds, *modules = told.stdout.split()
        took_s.append(float(seconds))
        assert not {"jax", "pint", "simpy", "scipy", "rich", "click"} & set(modules)
    assert statistics.median(took_s) < 0.2


def test_each_verb_goes_by_its_own_name() -> None:
    assert [verb.name for verb in VERBS.values()] == list(VERBS)
    assert "nothing" not in VERBS

"""The room is light: who wants one formula does not wait for JAX, pint or a simulation."""

import subprocess
import sys

import pytest

from fairwitness.planner.verbs import VERBS

CODE = """
import sys
before = set(sys.modules)
import {module}
print(*{{name.partition(".")[0] for name in set(sys.modules) - before}})
"""


# What is imported and not how long it takes: a bound of 0.2 s was broken by a busy machine, at
# 0.15 s measured. numpy is most of that; pint would double it and JAX adds a second.
@pytest.mark.parametrize("module", ["fairwitness.planner", "fairwitness.planner.verbs"])
def test_importing_the_room_brings_nothing_heavy(module: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    of_others = set(told.stdout.split()) - sys.stdlib_module_names
    assert of_others <= {"fairwitness", "msgspec", "numpy", "typing_extensions"}


def test_each_verb_goes_by_its_own_name() -> None:
    assert [verb.name for verb in VERBS.values()] == list(VERBS)
    assert "nothing" not in VERBS

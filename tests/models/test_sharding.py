"""Many devices: the same logits as one, and what each would hold of Grok-1 at full size."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from fairwitness.models import sharding
from fairwitness.models.grok import GROK_1
from fairwitness.models.shapes import parameter_shapes

SCRIPT = Path(__file__).parent / "on_mesh.py"
EIGHT_OF_80_GB = {"data": 1, "sequence": 1, "expert": 8, "tensor": 1}
V5E_64 = {"data": 1, "sequence": 1, "expert": 8, "tensor": 8}


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_eight_devices_give_what_one_gives():
    """Sequences and tensors apart; experts in one mesh, cached positions in the other."""
    script = start("forced")
    told, complaints = script.communicate(timeout=240)
    assert script.returncode == 0, complaints
    assert len(told.splitlines()) == 2


def test_two_processes_give_what_one_device_gives():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    scripts = [start("process", port, number) for number in "01"]
    try:
        for script in scripts:
            _, complaints = script.communicate(timeout=240)
            assert script.returncode == 0, complaints
    finally:
        for script in scripts:
            script.kill()


def abstract(shapes, dtype):
    """The tree with types in the place of arrays, norms and routers float32."""

    def of(path, shape):
        is_matrix = len(shape) > 1 and path[-1].key != "router"
        return jax.ShapeDtypeStruct(shape, dtype if is_matrix else jnp.float32)

    return jax.tree_util.tree_map_with_path(of, shapes, is_leaf=lambda x: isinstance(x, tuple))


def test_grok_1_at_full_size_without_allocating():
    parameters = abstract(parameter_shapes(GROK_1), jnp.bfloat16)
    held = jax.ShapeDtypeStruct((1, GROK_1.kv_heads, 8192, GROK_1.head_size), jnp.bfloat16)
    tokens, first = (jax.ShapeDtypeStruct(shape, jnp.int32) for shape in ((1, 128), (1,)))
    cache, logits = jax.eval_shape(
        lambda *each: sharding.next_logits(GROK_1, *each),
        parameters,
        [(held, held)] * GROK_1.layers,
        tokens,
        first,
    )
    assert (logits.shape, logits.dtype) == ((1, 131_072), jnp.float32)
    assert {each.shape for pair in cache for each in pair} == {held.shape}
    sizes = [leaf.size for leaf in jax.tree.leaves(parameters)]
    assert sum(sizes) - GROK_1.head_size // 2 == GROK_1.parameters  # RoPE is no weight
    assert round(GROK_1.parameters / 1e9, 1) == 315.7


@pytest.mark.parametrize(
    ("mesh", "device_bytes", "weights_gb", "cache_gb"),
    [(EIGHT_OF_80_GB, 80e9, 78.9, 0.3), (V5E_64, 16e9, 9.9, 0.3)],
)
def test_what_each_device_holds_of_grok_1(mesh, device_bytes, weights_gb, cache_gb):
    """bfloat16, one sequence of the whole context."""
    held = sharding.bytes_per_device(GROK_1, mesh, 1, GROK_1.context, jnp.bfloat16)
    assert sum(held.values()) < device_bytes
    told = {name: round(size / 1e9, 1) for name, size in held.items()}
    assert told == {"weights": weights_gb, "cache": cache_gb}


def test_an_axis_that_does_not_divide_stays_whole():
    sizes = {"data": 1, "sequence": 1, "expert": 3, "tensor": 2}
    assert sharding.spec(("heads", None), (10, 4), sizes) == jax.P("tensor", None)
    assert sharding.spec(("heads", None), (12, 4), sizes) == jax.P(("expert", "tensor"), None)
    assert sharding.spec(("heads", None), (5, 4), sizes) == jax.P(None, None)
    assert sharding.spec(("experts", "expert hidden"), (3, 4), sizes) == jax.P("expert", "tensor")

"""What the mesh tests run in processes of their own: JAX's devices are fixed when it starts.

`python on_mesh.py forced` compares meshes of eight forced devices with one device.
`python on_mesh.py process PORT ID` is one of two processes that hold two devices each; the first
prints how far they are from one device.
"""

import os
import sys

is_forced = sys.argv[1] == "forced"
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={8 if is_forced else 2}"

import jax  # noqa: E402
import numpy as np  # noqa: E402

from fairwitness.models import sharding  # noqa: E402
from fairwitness.models.config import (  # noqa: E402
    Attention,
    DecoderConfig,
    Experts,
    Multipliers,
    Reach,
)
from fairwitness.models.decoder import new_cache  # noqa: E402
from fairwitness.models.rope import frequencies  # noqa: E402
from fairwitness.models.shapes import parameter_shapes  # noqa: E402

SIZES = {
    "vocabulary": 64,
    "width": 32,
    "layers": 2,
    "query_heads": 8,
    "kv_heads": 4,
    "head_size": 8,
    "hidden": 48,
    "context": 64,
    "rope_base": 10_000.0,
    "norm_epsilon": 1e-5,
}
GROK = DecoderConfig(
    **SIZES,
    tied_head=True,
    attention=Attention(cap=3.0),
    activation="gelu_tanh",
    experts=Experts(count=4, used=2, hidden=24, renormalise=False),
    post_norms=True,
    multipliers=Multipliers(embedding=5.0, logits=0.5),
)
SLIDING = DecoderConfig(
    **SIZES,
    tied_head=False,
    attention=Attention(bias=True, head_norms=True, sinks=True),
    reaches=(Reach(window=5), Reach(chunk=8, rope="none")),
)
MESHES = [
    (GROK, {"data": 2, "expert": 2, "tensor": 2}),
    (SLIDING, {"data": 2, "sequence": 2, "tensor": 2}),
]
SEQUENCES, PROMPT, STEPS, CAPACITY = 4, 8, 2, 16
TOKENS = np.random.default_rng(2).integers(0, 64, (SEQUENCES, PROMPT + STEPS), np.int32)


def parameters(config: DecoderConfig):
    rng = np.random.default_rng(1)

    def fill(path, shape):
        if path[-1].key == "rope_k":
            return frequencies(config.head_size, config.rope_base).astype(np.float32)
        about = 1.0 if "norm" in path[-1].key else 0.0
        return (about + rng.normal(0, 0.2, shape)).astype(np.float32)

    shapes = parameter_shapes(config)
    return jax.tree_util.tree_map_with_path(fill, shapes, is_leaf=lambda x: isinstance(x, tuple))


def logits(config: DecoderConfig, sizes: dict[str, int]) -> np.ndarray:
    """Of the prompt's last token and of each decode step, for every sequence."""
    mesh = sharding.mesh_of(**sizes)
    placed = sharding.place_parameters(config, mesh, parameters(config))
    step, cache = sharding.step_on(config, mesh), sharding.new_cache(config, mesh, 4, CAPACITY)
    told, start = [], 0
    for length in [PROMPT] + [1] * STEPS:
        piece = TOKENS[:, start : start + length]
        cache, logits_bv = step(placed, cache, piece, np.full(SEQUENCES, start))
        told.append(np.asarray(logits_bv))
        start += length
    return np.stack(told)


def forced() -> None:
    alone = {config: logits(config, {}) for config in (GROK, SLIDING)}
    for config, sizes in MESHES:
        apart = float(np.abs(logits(config, sizes) - alone[config]).max())
        print(sizes, apart)
        assert apart < 1e-5, (sizes, apart)


def process(port: str, number: str) -> None:
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(number))
    assert (len(jax.devices()), len(jax.local_devices())) == (4, 2)
    together = logits(GROK, {"expert": 2, "tensor": 2})
    cache = jax.tree.map(lambda array: np.stack([array] * SEQUENCES), new_cache(GROK, CAPACITY))
    start = np.zeros(SEQUENCES, np.int32)
    _, alone = sharding.next_logits(GROK, parameters(GROK), cache, TOKENS[:, :PROMPT], start)
    apart = float(np.abs(together[0] - np.asarray(alone)).max())
    print(apart)
    assert apart < 1e-5, apart
    jax.distributed.shutdown()


if __name__ == "__main__":
    forced() if is_forced else process(sys.argv[2], sys.argv[3])

"""How far each family is from its peer, and the table of it that the package carries.

`python tests/parity/measured.py` writes the table; `test_families.py` fails when it is stale.
"""

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE))
import grok2  # noqa: E402
from spread import spread  # noqa: E402

from fairwitness.models import Model, decoder, grok, open_model  # noqa: E402
from fairwitness.models.config_hugging_face import config_from_hugging_face  # noqa: E402
from fairwitness.models.dequantise import FORMATS  # noqa: E402
from fairwitness.models.families import named  # noqa: E402
from fairwitness.models.packed import is_native  # noqa: E402
from fairwitness.models.safetensors_writer import write_shards  # noqa: E402
from fairwitness.models.writing import NewTensor  # noqa: E402

STATUS = ROOT / "src" / "fairwitness" / "models" / "parity.json"
PROMISE = 1e-4
GOLDENS = sorted((HERE / "families").glob("*.npz"))
GROK_1 = {
    "family": "grok-1",
    "against": "xai-org/grok-1 at 7050ed2, JAX 0.4.25",
    "cases": ["tiny_f32", "tiny_bf16"],
    "error_below": 1e-5,  # its goldens lie beside the checkout; test_grok1.py reads this bound
    "native": "yes" if is_native(named("grok-1"), grok.GROK_1) else "no",
}


def tiny_model(folder: Path, config: str, shapes: dict[str, list[int]]) -> Model:
    """A model on disk whose weights follow from the names of its tensors."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config, "utf-8")
    shapes = {name: tuple(shape) for name, shape in shapes.items()}
    tensors = [
        NewTensor(name, shape, FORMATS[0], partial(packed, name, shape))
        for name, shape in shapes.items()
    ]
    write_shards(folder, tensors)
    return open_model(folder)


def packed(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(spread(name, shape).tobytes(), np.uint8)


def golden_model(golden: np.lib.npyio.NpzFile, folder: Path) -> Model:
    return tiny_model(folder, str(golden["config"]), json.loads(str(golden["shapes"])))


def logits_of(model: Model, tokens: np.ndarray, pieces: int = 1, config=None) -> np.ndarray:
    """Logits of all positions, float32, fed in equal pieces."""
    config = config or model.config
    parameters = model.parameters(jnp.asarray)
    cache, logits = decoder.new_cache(config, len(tokens)), []
    for piece in np.split(np.asarray(tokens, np.int32), pieces):
        start = sum(map(len, logits))
        tokens_t = jnp.asarray(piece)
        cache, x_td = decoder.extend(config, parameters, cache, tokens_t, jnp.int32(start))
        logits.append(np.asarray(decoder.predict(config, parameters, x_td)))
    return np.concatenate(logits)


def error(golden: np.lib.npyio.NpzFile, folder: Path, pieces: int = 1) -> float:
    told = logits_of(golden_model(golden, folder), golden["tokens"], pieces)
    return float(np.abs(told - golden["logits"]).max())


def grok_2_model(folder: Path) -> Model:
    return tiny_model(folder, json.dumps(grok2.CONFIG), grok2.shapes())


def grok_2_error(folder: Path, pieces: int = 1) -> float:
    told = logits_of(grok_2_model(folder), grok2.TOKENS, pieces)
    return float(np.abs(told - grok2.reference()).max())


def row(family: str, against: str, errors: dict[str, float]) -> dict[str, object]:
    """One line of the table; the bound is round, and leaves room for another CPU's rounding."""
    room = 2 * max(errors.values())
    steps = (float(f"{digit}e{power}") for power in range(-9, 0) for digit in (1, 2, 5))
    bound = min(PROMISE, next(step for step in steps if step >= room))
    configs = [json.loads(str(np.load(path)["config"])) for path in GOLDENS if path.stem in errors]
    return {
        "family": family,
        "against": against,
        "cases": sorted(errors),
        "error_below": bound,
        "native": native(configs),
    }


def native(configs: list[dict[str, object]]) -> str:
    """Whether the native step is made for a family, told by what it is asked itself."""
    is_any = any(is_native(*config_from_hugging_face(HERE, each)) for each in configs)
    return "yes" if is_any else "no"


def table(errors: dict[str, float]) -> list[dict[str, object]]:
    """All lines, from the error of each golden by its name (`grok-2` among them)."""
    rows = [GROK_1, row("grok-2", "a float64 reference in numpy", {"grok-2": errors["grok-2"]})]
    families: dict[str, dict[str, float]] = {}
    for path in GOLDENS:
        families.setdefault(family_of(path), {})[path.stem] = errors[path.stem]
    return rows + [row(name, made_by(), each) for name, each in families.items()]


def family_of(path: Path) -> str:
    """`llama-linear` is a case of `llama`, and `gpt-oss` of itself."""
    return path.stem if path.stem == "gpt-oss" else path.stem.split("-")[0]


def made_by() -> str:
    told = {str(np.load(path)["made_by"]) for path in GOLDENS}
    assert len(told) == 1, f"goldens of several makers: {told}"
    return told.pop()


def encoded(rows: list[dict[str, object]]) -> str:
    return json.dumps(rows, indent=1) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        errors = {path.stem: error(np.load(path), Path(folder) / path.stem) for path in GOLDENS}
        errors["grok-2"] = grok_2_error(Path(folder) / "grok-2")
    STATUS.write_text(encoded(table(errors)), "utf-8")
    print(STATUS.read_text("utf-8"))


if __name__ == "__main__":
    main()

"""Make tests/parity/smollm2.json: what llama.cpp predicts and tokenises with our default model.

Run once by hand, in an environment of its own, because llama-cpp-python compiles for minutes:

    python -m venv golden && golden/bin/pip install llama-cpp-python==0.3.36
    golden/bin/python benchmarks/make_smollm2_golden.py SmolLM2-135M-Instruct.Q4_1.gguf

Every text is teacher-forced: llama.cpp reads the first n tokens and we note its five largest logits
for token n + 1, whatever the text says next. It does so twice. With the file as it is, llama.cpp
rounds activations to eight bits, so near-ties may fall the other way. With the same weights widened
to float32 by llama.cpp itself nothing is rounded, and the logits themselves can be compared.
"""

import argparse
import ctypes
import json
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as api

PARITY = Path(__file__).resolve().parent.parent / "tests" / "parity"
TOP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    path = parser.parse_args().model
    texts = json.loads((PARITY / "texts.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        model, widened = load(path), load(widen(path, Path(folder)))
        golden = {
            "llama_cpp_python": llama_cpp.__version__,
            "quantised": [predict(model, text) for text in texts["forced"]],
            "widened": [predict(widened, text) for text in texts["forced"]],
            "tokens": {text: tokenise(model, text, special=False) for text in texts["nasty"]},
        }
    target = PARITY / "smollm2.json"
    target.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{target}: {sum(len(text['ids']) for text in golden['quantised'])} predictions")


def widen(path: Path, folder: Path) -> Path:
    """The same weights as a float32 GGUF file, dequantised by llama.cpp."""
    parameters = api.llama_model_quantize_default_params()
    parameters.ftype = api.LLAMA_FTYPE_ALL_F32
    parameters.allow_requantize = True
    target = folder / "widened.gguf"
    if api.llama_model_quantize(bytes(path), bytes(target), ctypes.byref(parameters)):
        raise SystemExit(f"llama.cpp could not widen {path}")
    return target


def load(path: Path) -> llama_cpp.Llama:
    """A model with a float32 KV cache and without repacked weights: their AMX kernels of version
    0.3.36 crash on some virtual machines, and the plain kernels are the reference anyway."""
    defaults = api.llama_model_default_params

    def plain_kernels() -> api.llama_model_params:
        parameters = defaults()
        parameters.use_extra_bufts = False
        return parameters

    api.llama_model_default_params = plain_kernels
    try:
        return llama_cpp.Llama(
            str(path),
            n_ctx=1024,
            logits_all=True,
            type_k=api.GGML_TYPE_F32,
            type_v=api.GGML_TYPE_F32,
            verbose=False,
        )
    finally:
        api.llama_model_default_params = defaults


def tokenise(model: llama_cpp.Llama, text: str, *, special: bool) -> list[int]:
    return model.tokenize(text.encode("utf-8"), add_bos=False, special=special)


def predict(model: llama_cpp.Llama, text: dict[str, object]) -> dict[str, object]:
    """One prediction after every token of the text, cut to `take` tokens."""
    ids = tokenise(model, str(text["text"]), special=bool(text["special"]))[: int(text["take"])]
    model.reset()
    model.eval(ids)
    logits_tv = np.asarray(model.scores[: len(ids)])
    top_tk = np.argsort(-logits_tv, axis=1)[:, :TOP]
    return {
        "name": text["name"],
        "ids": ids,
        "top_ids": top_tk.tolist(),
        "top_logits": np.take_along_axis(logits_tv, top_tk, axis=1).astype(float).round(4).tolist(),
    }


if __name__ == "__main__":
    main()

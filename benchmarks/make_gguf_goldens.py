"""Make tests/parity/gguf.json: how llama.cpp's converter spells the tiny models of each family.

Run by hand, in the environment of make_family_goldens.py, with llama.cpp's sources beside it:

    golden/bin/pip install gguf==0.19.0 sentencepiece
    golden/bin/python benchmarks/make_gguf_goldens.py path/to/llama.cpp

For each golden of tests/parity/families: the metadata that tells the shape, and the name, shape and
checksum of every tensor. The files themselves would be many times larger, and say no more.
"""

import json
import re
import sys
import tempfile
import zlib
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file

PARITY = Path(__file__).resolve().parent.parent / "tests" / "parity"
sys.path.insert(0, str(PARITY))
from spread import spread  # noqa: E402

VOCABULARY = 96


def main() -> None:
    sources = Path(sys.argv[1])
    sys.path.insert(0, str(sources))
    allow_unknown_names(sources)
    told = {}
    for path in sorted((PARITY / "families").glob("*.npz")):
        with tempfile.TemporaryDirectory() as folder:
            converted = convert(np.load(path), Path(folder))
            told[path.stem] = described(gguf.GGUFReader(converted))
    target = PARITY / "gguf.json"
    target.write_text(json.dumps(told, separators=(",", ":")) + "\n")
    print(f"{target}: {len(told)} models, {target.stat().st_size} bytes")


def allow_unknown_names(sources: Path) -> None:
    """The converter may be newer than the package, and name models that are none of ours."""
    text = "".join(path.read_text("utf-8") for path in (sources / "conversion").glob("*.py"))
    for enum in (gguf.MODEL_ARCH, gguf.MODEL_TENSOR):
        for name in set(re.findall(rf"{enum.__name__}\.(\w+)", text)):
            if not hasattr(enum, name):
                type.__setattr__(enum, name, 99_999)
    if not hasattr(gguf, "LazyChunkedTensor"):
        gguf.LazyChunkedTensor = type("LazyChunkedTensor", (), {})


def convert(golden: np.lib.npyio.NpzFile, folder: Path) -> Path:
    """The golden's model as a GGUF file without a tokenizer."""
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    (folder / "config.json").write_text(str(golden["config"]))
    vocabulary = {str(token): token for token in range(VOCABULARY)}
    tokenizer = {"added_tokens": [], "model": {"vocab": vocabulary}}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text("{}")
    shapes = json.loads(str(golden["shapes"]))
    weights = {name: spread(name, tuple(shape)) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    def set_vocab(self: object) -> None:
        self.gguf_writer.add_tokenizer_model("no_vocab")
        self.gguf_writer.add_vocab_size(VOCABULARY)

    with torch.inference_mode():
        settings = ModelBase.load_hparams(folder, False)
        found = get_model_class(get_model_architecture(settings, ModelType.TEXT), mmproj=False)
        changes = {"model_arch": found.model_arch, "set_vocab": set_vocab}
        own = type(found.__name__, (found,), changes)
        target = folder / "model.gguf"
        own(folder, gguf.LlamaFileType.ALL_F32, target, eager=True).write()
    return target


def described(file: gguf.GGUFReader) -> dict[str, object]:
    shape_keys = {
        key: field.contents()
        for key, field in file.fields.items()
        if key == "general.architecture"
        or key.split(".")[0] not in ("general", "tokenizer", "GGUF")
    }
    tensors = {
        tensor.name: [tensor.shape[::-1].tolist(), zlib.crc32(tensor.data.tobytes())]
        for tensor in sorted(file.tensors, key=lambda tensor: tensor.name)
    }
    return {"metadata": shape_keys, "tensors": tensors}


if __name__ == "__main__":
    main()

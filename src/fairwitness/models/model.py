"""A model on disk, whatever its format: its shape, its weights, its tokenizer, its template.

`open_model` reads headers only, which takes a tenth of a second; weights and tokenizer are read
when they are asked for. Nothing here needs JAX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from fairwitness.kernels.stack import Weights
from fairwitness.models.chat_template import ChatTemplate
from fairwitness.models.config import DecoderConfig
from fairwitness.models.config_gguf import config_from_gguf
from fairwitness.models.config_hugging_face import config_from_hugging_face
from fairwitness.models.errors import ModelFileError
from fairwitness.models.gguf import GgufFile, open_gguf
from fairwitness.models.grok import END_ID, config_from_grok_1
from fairwitness.models.grok1_checkpoint import FOLDER_NAME as CHECKPOINT_NAME
from fairwitness.models.grok1_checkpoint import open_grok1
from fairwitness.models.packed import packed_weights
from fairwitness.models.safetensors import open_folder
from fairwitness.models.tokenizer import Tokenizer
from fairwitness.models.tokenizer_files import tokenizer_from_folder, tokenizer_from_gguf
from fairwitness.models.tokenizer_xai import CHAT_TEMPLATE as XAI_TEMPLATE
from fairwitness.models.tokenizer_xai import FILE_NAME as XAI_TOKENIZER
from fairwitness.models.weights import (
    Place,
    parameters_from_gguf,
    parameters_from_grok_1,
    parameters_from_hugging_face,
)

MAX_CONFIG_BYTES = 64_000_000  # a tokenizer_config.json can be large, a config is never larger


class ModelCard(msgspec.Struct, frozen=True):
    """What `fairwitness models show` tells about a model."""

    path: str
    architecture: str
    parameters: int
    quantisation: str  # the format of most of its bytes
    context: int
    vocabulary: int
    licence: str
    size_bytes: int


@dataclass(frozen=True)
class Model:
    """A model whose headers are read; the functions read the rest."""

    config: DecoderConfig
    card: ModelCard
    parameters: Callable[[Place], dict[str, Any]]  # the tree of `weights`, each array placed
    tokenizer: Callable[[], Tokenizer]
    chat_template: Callable[[], ChatTemplate]
    packed: Callable[[], Weights | None] = lambda: None  # as `packed_weights` gives them


def open_model(path: Path) -> Model:
    """Open a `.gguf` file, a folder with config.json, a tokenizer and safetensors, or one with
    `ckpt-0` and tokenizer.model as Grok-1 was published.

    Raises:
        ModelFileError: missing, damaged, or not of a kind that we run; so do the functions.
    """
    if (path / CHECKPOINT_NAME).is_dir():
        return _open_grok1_model(path)
    return _open_folder_model(path) if path.is_dir() else _open_gguf_model(path)


def describe(path: Path) -> ModelCard:
    """The card of a model; errors as in `open_model`."""
    return open_model(path).card


def _open_gguf_model(path: Path) -> Model:
    file = open_gguf(path)
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None:
        raise ModelFileError(path, "no tensor 'token_embd.weight'")
    vocabulary = embedding.shape[0]
    family, config = config_from_gguf(path, file.metadata, vocabulary, file.tensors.keys())
    sizes = ((tensor.format.name, tensor.size_bytes) for tensor in file.tensors.values())
    licence = file.metadata.get("general.license", "unknown")
    return Model(
        config=config,
        card=_card(path, config, family.name, sizes, str(licence), path.stat().st_size),
        parameters=partial(parameters_from_gguf, file, family, config),
        tokenizer=partial(tokenizer_from_gguf, path, file.metadata, vocabulary),
        chat_template=partial(_gguf_chat_template, file),
        packed=partial(packed_weights, file, family, config),
    )


def _gguf_chat_template(file: GgufFile) -> ChatTemplate:
    source = file.metadata.get("tokenizer.chat_template")
    if not isinstance(source, str):
        raise ModelFileError(file.path, "has no chat template")
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    variables = {}
    for name in ("bos", "eos"):
        index = file.metadata.get(f"tokenizer.ggml.{name}_token_id")
        if isinstance(tokens, list) and isinstance(index, int) and 0 <= index < len(tokens):
            variables[f"{name}_token"] = tokens[index]
    return ChatTemplate(source, variables)


def _open_folder_model(folder: Path) -> Model:
    values = json_table(folder / "config.json")
    family, config = config_from_hugging_face(folder / "config.json", values)
    file = open_folder(folder)
    sizes = ((tensor.format.name, tensor.data.size) for tensor in file.tensors.values())
    size_bytes = sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())
    ends = named_end_ids(folder, values)
    return Model(
        config=config,
        card=_card(folder, config, family.name, sizes, "unknown", size_bytes),
        parameters=partial(parameters_from_hugging_face, file, family, config),
        tokenizer=partial(tokenizer_from_folder, folder, ends, config.vocabulary),
        chat_template=partial(_folder_chat_template, folder),
    )


def _open_grok1_model(folder: Path) -> Model:
    file = open_grok1(folder)
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    config = config_from_grok_1(file.path, file.layers, shapes)
    sizes = ((tensor.number_format, tensor.weight.nbytes) for tensor in file.tensors.values())
    size_bytes = sum(entry.stat().st_size for entry in file.path.iterdir())
    return Model(
        config=config,
        card=_card(folder, config, "grok-1", sizes, "apache-2.0", size_bytes),
        parameters=partial(parameters_from_grok_1, file.path, file.read, set(file.tensors), config),
        tokenizer=partial(tokenizer_from_folder, folder, [END_ID], config.vocabulary),
        chat_template=partial(_folder_chat_template, folder),
    )


def named_end_ids(folder: Path, config_values: Mapping[str, object]) -> list[int]:
    """generation_config.json has the last word on what ends an answer; it may name several ids."""
    generation = folder / "generation_config.json"
    values = json_table(generation) if generation.exists() else config_values
    named = values.get("eos_token_id", config_values.get("eos_token_id"))
    candidates = named if isinstance(named, list) else [named]
    return [token for token in candidates if isinstance(token, int)]


def _folder_chat_template(folder: Path) -> ChatTemplate:
    settings_path, jinja_path = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    if (folder / XAI_TOKENIZER).exists():  # its template is published as code, not as a file
        return ChatTemplate(XAI_TEMPLATE, {})
    settings = json_table(settings_path)
    source = settings.get("chat_template")
    if jinja_path.exists():
        source = _read_text(jinja_path)
    if not isinstance(source, str):
        raise ModelFileError(settings_path, "has no chat template")
    variables = {}
    for name in ("bos_token", "eos_token"):
        token = settings.get(name)
        text = token.get("content") if isinstance(token, dict) else token
        variables[name] = text if isinstance(text, str) else ""
    return ChatTemplate(source, variables)


def json_table(path: Path) -> dict[str, object]:
    """A JSON file of a model's folder; anything but a table raises ModelFileError."""
    try:
        return msgspec.json.decode(_read_text(path), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ModelFileError(path, f"is not a JSON table: {error}") from error


def _read_text(path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_CONFIG_BYTES:
            raise ModelFileError(path, f"has {size_bytes} bytes, at most {MAX_CONFIG_BYTES}")
        return path.read_text("utf-8")
    except OSError as error:
        raise ModelFileError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelFileError(path, "is not valid UTF-8") from error


def _card(
    path: Path,
    config: DecoderConfig,
    architecture: str,
    sizes: Iterable[tuple[str, int]],
    licence: str,
    size_bytes: int,
) -> ModelCard:
    bytes_of: Counter[str] = Counter()
    for name, tensor_bytes in sizes:
        bytes_of[name] += tensor_bytes
    return ModelCard(
        path=str(path),
        architecture=architecture,
        parameters=config.parameters,
        quantisation=bytes_of.most_common(1)[0][0],
        context=config.context,
        vocabulary=config.vocabulary,
        licence=licence,
        size_bytes=size_bytes,
    )

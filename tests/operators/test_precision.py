import pytest
import torch

from operators.config import Training
from operators.precision import native_precision
from operators.training.lora import load_model


def cpu_with(monkeypatch, **instructions):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    known = {"avx2": True, "cpu_name": "a bf16", **instructions}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": False}, "bfloat16"),
        ({"avx512_bf16": True}, "bfloat16"),
        ({"arm_bf16": True}, "bfloat16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({}, "float32"),
    ],
)
def test_a_cpu_is_asked_for_its_instructions(instructions, expected, monkeypatch):
    cpu_with(monkeypatch, **instructions)
    assert native_precision() == expected


def test_what_torch_says_of_this_machine_is_understood():
    known = torch.cpu.get_capabilities()
    if known["architecture"] == "x86_64":
        assert {"avx512_bf16", "amx_bf16"} <= set(known)
    assert native_precision() in ("bfloat16", "float32")


@pytest.mark.parametrize("instructions", [{"avx512_bf16": True}, {}])
def test_a_model_is_loaded_in_it(instructions, monkeypatch):
    cpu_with(monkeypatch, **instructions)
    assert load_model(Training()).dtype == getattr(torch, native_precision())
    assert load_model(Training(dtype="bfloat16")).dtype == torch.bfloat16

"""Fine-tunes that start at the first adapted block, against the whole model."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from operators.config import LoRA, Training
from operators.data.store import default_cache
from operators.training import frozen
from operators.training.likelihood import answer_nll, mean_losses
from operators.training.lora import with_adapter
from operators.training.tokens import Example

PAD = 0
EXAMPLES = [
    Example(ids, [-100] * 2 + ids[2:])
    for ids in ([5, 9, 3, 7, 2, 8, 4], [6, 1, 2, 3], [9, 9, 8, 1, 4, 4], [5, 9, 3, 7, 2, 8, 4])
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTODP_CACHE", str(tmp_path / "cache"))
    default_cache.cache_clear()
    yield default_cache() / "frozen-states.sqlite"
    default_cache.cache_clear()


def tiny(model_type, folder, dtype="float32", **settings):
    """A random model of 4 blocks, adapters with weights on the last two."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=4,
        max_position_embeddings=64,
        pad_token_id=PAD,
        bos_token_id=1,
        eos_token_id=2,
        attention_dropout=0.0,
        **settings,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    recipe = Training(model=str(folder), lora=LoRA(rank=2, last_layers=2), dtype=dtype)
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    model = with_adapter(loaded, recipe)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model, recipe


def loss_and_gradients(model):
    model.train()
    model.zero_grad()
    loss = mean_losses(model, EXAMPLES, PAD)
    loss.sum().backward()
    # Without names: blocks are counted from the first adapted one while the others are left out.
    return loss.detach(), [p.grad.clone() for p in model.parameters() if p.requires_grad]


@pytest.mark.parametrize("model_type", sorted(frozen.MODEL_TYPES))
def test_losses_and_gradients_are_those_of_the_whole_model(model_type, tmp_path):
    model, recipe = tiny(model_type, tmp_path / "model")
    expected, gradients = loss_and_gradients(model)
    nll = answer_nll(model, EXAMPLES, PAD)
    with frozen.reused(model, recipe):
        for _ in range(2):  # computed, then from the cache
            found, same = loss_and_gradients(model)
            torch.testing.assert_close(found, expected)
            torch.testing.assert_close(same, gradients)
            assert answer_nll(model, EXAMPLES, PAD) == pytest.approx(nll, rel=1e-5)


def test_each_text_passes_the_frozen_blocks_once(tmp_path):
    model, recipe = tiny("llama", tmp_path / "model", dtype="bfloat16")
    passes = []
    block = model.get_base_model().model.layers[0]
    hook = block.register_forward_hook(lambda _m, args, _out: passes.append(args[0].shape))
    with frozen.reused(model, recipe):
        first = answer_nll(model, EXAMPLES, PAD)
        assert sorted(passes) == [(1, 4, 16), (1, 6, 16), (1, 7, 16)]  # of the two equal ones, one
        assert answer_nll(model, list(reversed(EXAMPLES)), PAD) == list(reversed(first))
        assert len(passes) == 3
    hook.remove()


def test_afterwards_the_model_is_whole_again(tmp_path):
    model, recipe = tiny("llama", tmp_path / "model")
    names = [n for n, _ in model.named_parameters()]
    expected = answer_nll(model, EXAMPLES, PAD)
    with pytest.raises(ZeroDivisionError), frozen.reused(model, recipe):
        raise ZeroDivisionError
    assert [n for n, _ in model.named_parameters()] == names
    assert answer_nll(model, EXAMPLES, PAD) == expected


@pytest.mark.parametrize(
    "change", [{"reuse_frozen": False}, {"lora": LoRA(rank=2)}], ids=["switched off", "nothing is frozen"]
)
def test_nothing_is_kept_where_it_is_off(tmp_path, cache, change):
    model, recipe = tiny("llama", tmp_path / "model")
    with frozen.reused(model, recipe.model_copy(update=change)):
        answer_nll(model, EXAMPLES, PAD)
    assert not cache.exists()


def test_a_model_whose_blocks_attend_in_several_ways_runs_whole(tmp_path):
    """The decoder picks a block's mask by its place, which would be another one without the frozen blocks."""
    sliding = {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 2}
    model, recipe = tiny("qwen2", tmp_path / "model", **sliding)
    assert len(set(model.config.layer_types)) == 2
    expected = answer_nll(model, EXAMPLES, PAD)
    with frozen.reused(model, recipe):
        assert answer_nll(model, EXAMPLES, PAD) == expected

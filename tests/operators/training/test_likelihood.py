"""Losses of answers, against the whole model's logits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from operators.config import LoRA, Training
from operators.training.likelihood import answer_logits, answer_nll, mean_losses
from operators.training.lora import with_adapter
from operators.training.tokens import IGNORE, Example, pad

PAD = 0
TOKENS = st.lists(st.tuples(st.integers(3, 31), st.booleans()), min_size=2, max_size=12)
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
MODELS = {"llama": SIZES, "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4}, "gpt_neox": SIZES}
"""Of GPT-2 the places are absolute, and GPT-NeoX calls its head by another name."""


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    """Two blocks with random weights; in the last an adapter."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        request.param, **MODELS[request.param], vocab_size=32, pad_token_id=PAD, bos_token_id=1, eos_token_id=2
    )
    tuned = with_adapter(AutoModelForCausalLM.from_config(config), Training(lora=LoRA(rank=2, last_layers=1)))
    return tuned.eval()


def example(tokens):
    return Example([t for t, _ in tokens], [t if learned else IGNORE for t, learned in tokens])


@given(batch=st.lists(TOKENS, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_losses_are_the_labels_own_whatever_else_is_in_the_batch(model, batch):
    examples = [example(tokens) for tokens in batch]
    with torch.no_grad():
        found = mean_losses(model, examples, PAD)
        for e, loss in zip(examples, found, strict=True):
            log_p = model(input_ids=torch.tensor([e.input_ids])).logits[0].log_softmax(-1)
            learned = [i for i, label in enumerate(e.labels) if label != IGNORE and i > 0]
            expected = sum(-log_p[i - 1, e.labels[i]].item() for i in learned) / max(len(learned), 1)
            assert loss.item() == pytest.approx(expected, abs=1e-5)
    assert answer_nll(model, examples, PAD, tokens_per_batch=1) == pytest.approx(found.tolist(), abs=1e-5)


def test_only_tokens_with_a_label_are_projected_onto_the_vocabulary(model):
    examples = [Example([5, 6, 7, 8], [IGNORE, 6, IGNORE, 8]), Example([9, 3], [IGNORE, 3])]
    rows = []
    hook = model.get_output_embeddings().register_forward_hook(lambda _head, _args, out: rows.append(out.shape))
    logits, labels, learned = answer_logits(model, pad(examples, PAD))
    hook.remove()
    assert rows == [(1, 3, 32)]
    assert logits.shape == (3, 32)
    assert labels.tolist() == [6, 8, 3]
    assert learned.tolist() == [[True, False, True], [True, False, False]]
    # Afterwards the model answers whole again.
    assert model(input_ids=torch.tensor([[5, 6]])).logits.shape == (1, 2, 32)

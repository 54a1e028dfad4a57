import numpy as np
import pytest
import torch

from operators.config import LoRA, Training
from operators.data.records import Message, Record
from operators.training.gradients import adam_update, projected_gradients, trained_layers
from operators.training.likelihood import mean_losses
from operators.training.lora import load_model, train, with_adapter
from operators.training.tokens import encode_all, load_tokenizer

RECIPE = Training(
    steps=2, batch_size=2, learning_rate=1e-3, max_length=64, dtype="float32", lora=LoRA(rank=2, last_layers=2)
)
RECORDS = [
    Record(
        "a", (Message("user", "What is gout?"), Message("assistant", "Painful joints, with uric acid in them."))
    ),
    Record("b", (Message("user", "And a sonnet?"), Message("assistant", "A poem."))),
    Record(
        "c",
        (
            Message("user", "Hello."),
            Message("assistant", "Hello, how are you?"),
            Message("user", "What is an engine?"),
            Message("assistant", "A machine that turns fuel into motion."),
        ),
    ),
]


@pytest.fixture(scope="module")
def warm():
    """A model with a trained adapter, its optimizer, the examples, and the padding token."""
    tokenizer = load_tokenizer(RECIPE.model)
    examples = encode_all(RECORDS, tokenizer, 64)
    torch.manual_seed(0)
    model = with_adapter(load_model(RECIPE), RECIPE)
    optimizer = train(model, examples, tokenizer, RECIPE, lambda *_: None).optimizer
    return model, optimizer, examples, tokenizer.pad_token_id


def one_by_one(model, examples, pad_id):
    """Gradients by plain backward passes, one example each, (n, weights)."""
    rows = []
    for example in examples:
        weights = [layer.weight for layer in trained_layers(model)]
        found = torch.autograd.grad(mean_losses(model, [example], pad_id).sum(), weights)
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows)


def test_gradients_of_a_padded_batch_are_each_examples_own(warm):
    model, _, examples, pad_id = warm
    seen = []

    def spy(gradients):
        seen.append(gradients)
        return gradients

    projected_gradients(model, examples, pad_id, dimensions=16, seed=0, transform=spy)
    (batch,) = seen  # all three in one, sorted by length
    order = sorted(range(3), key=lambda i: len(examples[i].input_ids))
    expected = one_by_one(model, [examples[i] for i in order], pad_id)
    assert torch.linalg.norm(expected, dim=1).min() > 1e-3
    torch.testing.assert_close(batch, expected, rtol=1e-3, atol=1e-5)


def test_projection_keeps_cosines_and_is_seeded(warm):
    model, _, examples, pad_id = warm
    exact = torch.nn.functional.normalize(one_by_one(model, examples, pad_id), dim=1).detach().cpu().numpy()
    made = projected_gradients(model, examples, pad_id, dimensions=4096, seed=1)
    assert np.linalg.norm(made, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert made @ made.T == pytest.approx(exact @ exact.T, abs=0.1)
    again = projected_gradients(model, examples, pad_id, dimensions=4096, seed=1, tokens_per_batch=1)
    assert again == pytest.approx(made, abs=1e-4)  # whatever the batches
    other = projected_gradients(model, examples, pad_id, dimensions=4096, seed=2)
    assert abs((made * other).sum(axis=1)).max() < 0.2


def test_adam_update_is_what_the_optimizer_does_next():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False), torch.nn.Linear(2, 2, bias=False))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0)
    for gradient in torch.randn(4, 10):
        step(model, optimizer, gradient)
    gradient = torch.randn(10)
    expected = adam_update(model, optimizer)(gradient[None])[0]
    before = flat(model)
    step(model, optimizer, gradient)
    torch.testing.assert_close(flat(model), before - 0.1 * expected)


def step(model, optimizer, gradient):
    parts = gradient.split([layer.weight.numel() for layer in trained_layers(model)])
    for layer, part in zip(trained_layers(model), parts, strict=True):
        layer.weight.grad = part.view_as(layer.weight).clone()
    optimizer.step()


def flat(model):
    return torch.cat([layer.weight.detach().flatten() for layer in trained_layers(model)]).clone()

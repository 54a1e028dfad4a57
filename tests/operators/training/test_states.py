import numpy as np
import pytest
import torch

from operators.config import Training
from operators.data.records import Message, Record
from operators.training.lora import load_model
from operators.training.states import pooled_states
from operators.training.tokens import encode_all, load_tokenizer

RECORDS = [
    Record(str(i), (Message("user", "What is it?"), Message("assistant", text)))
    for i, text in enumerate(["A bone.", "A disease of the airways with wheezing and shortness of breath."])
]


def test_the_weight_of_a_token_grows_with_its_place():
    recipe = Training(dtype="float32")
    tokenizer, model = load_tokenizer(recipe.model), load_model(recipe)
    examples = encode_all(RECORDS, tokenizer, 64)
    made = pooled_states(model, examples, tokenizer.pad_token_id)  # both in one padded batch
    for example, vector in zip(examples, made, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([example.input_ids], device=model.device)
            states = model(ids, output_hidden_states=True).hidden_states[-1][0].cpu()
        mean = np.average(states.numpy(), axis=0, weights=np.arange(1, len(states) + 1))
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-4)

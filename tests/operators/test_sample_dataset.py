"""Embedding and sampling of stored records, as a worker runs them."""

from __future__ import annotations

import numpy as np

from operators.config import Sampling
from operators.data.records import Message, Record
from operators.data.store import Store
from operators.models import MINILM
from operators.record_vectors import as_sides, embed_records
from operators.remote import embed_dataset, sample_dataset

RECORDS = [
    Record(f"r{i}", (Message("user", f"What is finding {i % 17}?"), Message("assistant", "A sign. " * (i % 5))))
    for i in range(120)
]


def quiet(_label: str, _done: int, _total: int) -> None:
    pass


def test_vectors_of_a_stored_set(tmp_path):
    store = Store(str(tmp_path))
    blob = embed_dataset(store.put_records(RECORDS), MINILM, store.root, progress=quiet)
    with store.open(blob.sha256) as file:
        found = np.lib.format.read_array(file, allow_pickle=False)
    assert (as_sides(found) == embed_records(RECORDS, len(RECORDS))).all()


def test_the_sample_is_stored_in_order_and_measured(tmp_path):
    store = Store(str(tmp_path))
    train = store.put_records(RECORDS)
    settings = Sampling(fraction=0.25, minimum=1)
    dataset, fidelity = sample_dataset(train, settings, MINILM, 3, store.root, progress=quiet)
    ids = [r.id for r in store.get_records(dataset)]
    assert len(ids) == dataset.rows == fidelity.sampled == 30
    assert ids == sorted(ids, key=lambda name: int(name[1:]))
    assert fidelity.rows == 120
    assert "only 30 records" in (fidelity.warning or "")
    assert sample_dataset(train, settings, MINILM, 3, store.root, progress=quiet) == (dataset, fidelity)

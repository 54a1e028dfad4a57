from hypothesis import given, settings
from hypothesis import strategies as st

from operators.keyed_cache import KeyedCache


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=8), st.binary(max_size=50)))
def test_what_was_put_is_found(tmp_path_factory, values):
    cache = KeyedCache(tmp_path_factory.mktemp("cache") / "x.sqlite", "test")
    cache.put(values)
    assert cache.get([*values, b"no such key"]) == values


def test_the_first_value_of_a_key_stays(tmp_path):
    cache = KeyedCache(tmp_path / "x.sqlite", "test")
    cache.put({b"k": b"first"})
    cache.put({b"k": b"second"})
    assert cache.get([b"k"]) == {b"k": b"first"}


def test_a_full_cache_starts_over_and_stays_below_its_limit(tmp_path):
    cache = KeyedCache(tmp_path / "x.sqlite", "test", max_bytes=200_000)
    for i in range(60):
        cache.put({bytes([i]): bytes(10_000)})
    kept = cache.get(bytes([i]) for i in range(60))
    assert bytes([59]) in kept
    assert len(kept) <= 21
    assert cache.file.stat().st_size < 400_000


def test_a_broken_file_is_a_warning(tmp_path, caplog):
    (tmp_path / "x.sqlite").write_bytes(b"this is no database" * 100)
    cache = KeyedCache(tmp_path / "x.sqlite", "test")
    cache.put({b"k": b"v"})
    assert cache.get([b"k"]) == {}
    assert "cannot be read" in caplog.text


def test_a_place_that_cannot_be_written_costs_no_result(tmp_path):
    (tmp_path / "file").write_text("no directory")
    cache = KeyedCache(tmp_path / "file" / "x.sqlite", "test")
    cache.put({b"k": b"v"})
    assert cache.get([b"k"]) == {}

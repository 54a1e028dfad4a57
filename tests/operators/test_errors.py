import inspect
import json
import pickle
import traceback

import pytest

from operators import errors
from operators.errors import (
    AutoDPError,
    BudgetExceeded,
    ConfigError,
    DataError,
    EndpointError,
    JobError,
    may_hold_text,
    without_text,
)

RECORD = "Patient Jane Roe, 12 Elm Street"
ALL = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, AutoDPError)]


@pytest.mark.parametrize("kind", ALL)
def test_errors_survive_pickling(kind: type[AutoDPError]) -> None:
    error = kind("rows.jsonl, row 7: give a column")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert str(copy) == str(error)


def test_a_panic_of_a_library_is_a_failure_and_an_order_to_end_is_none() -> None:
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})(f"inside {RECORD!r}")
    assert may_hold_text(panic)
    assert RECORD not in str(without_text(panic))
    assert may_hold_text(ValueError(RECORD))
    assert not may_hold_text(KeyboardInterrupt())
    assert not may_hold_text(SystemExit(1))


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        (DataError, ValueError),
        (ConfigError, ValueError),
        (EndpointError, ConnectionError),
        (BudgetExceeded, RuntimeError),
        (JobError, RuntimeError),
    ],
)
def test_each_is_a_standard_error_too(kind: type[AutoDPError], standard: type[Exception]) -> None:
    with pytest.raises(standard):
        raise kind("what and how to mend it")


def test_our_own_errors_pass_unchanged() -> None:
    error = DataError("rows.jsonl, row 7: no answer column")
    assert without_text(error) is error


def fails_on(record: str) -> Exception:
    try:
        json.loads(record)
    except ValueError as e:
        return e
    raise AssertionError("the record must not be JSON")


def test_a_library_error_loses_its_message() -> None:
    try:
        raise ValueError(f"cannot parse {RECORD!r}")
    except ValueError as e:
        safe = without_text(e)
    assert isinstance(safe, JobError)
    assert "Jane" not in str(safe)
    assert str(safe).startswith("ValueError at test_errors.py:")


def test_nothing_hangs_on_the_safe_error() -> None:
    """A chained exception or a traceback would carry the text along."""
    cause = fails_on(RECORD)
    assert RECORD in cause.doc  # type: ignore[attr-defined]  # json keeps the whole text it failed on
    safe = without_text(cause)
    shown = "".join(traceback.format_exception(safe))
    assert RECORD not in shown + repr(safe) + str(vars(safe))
    assert safe.__cause__ is None
    assert safe.__context__ is None
    assert RECORD not in repr(pickle.loads(pickle.dumps(safe)).__reduce__())


def test_place_is_named_when_a_library_fails_inside_our_code() -> None:
    from operators.data.records import Record

    try:
        Record.from_json(RECORD)
    except ValueError as e:
        safe = without_text(e)
    assert str(safe).startswith("JSONDecodeError at decoder.py:")
    assert "called from records.py:" in str(safe)
    assert "Jane" not in str(safe)


def test_an_error_never_raised_has_no_place() -> None:
    assert str(without_text(KeyError(RECORD))) == ("KeyError (its message is withheld: it may quote a record)")

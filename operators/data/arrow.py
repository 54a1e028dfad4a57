"""Arrow tables <-> JSON-able rows, without losing a type: dates and decimals travel as text, bytes as base64.

The row side has a "plain" Arrow type, which Arrow itself casts to and from; only bytes and maps, which have no
cast, are converted in Python.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from operators.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def plain_type(kind: pa.DataType, column: str) -> pa.DataType:
    """The type whose Python values are JSON-able. Raises DataError where there is none."""
    import pyarrow as pa
    from pyarrow import types as t

    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type, column)
    if t.is_dictionary(kind):
        return plain_type(kind.value_type, column)
    if t.is_float16(kind):
        return pa.float32()
    if t.is_time32(kind):
        return pa.int32()
    if t.is_duration(kind) or t.is_time64(kind):
        return pa.int64()
    if t.is_temporal(kind) or t.is_decimal(kind):
        return pa.string()
    if t.is_struct(kind):
        return pa.struct(
            [kind.field(i).with_type(plain_type(kind.field(i).type, column)) for i in range(kind.num_fields)]
        )
    if t.is_map(kind):
        return pa.map_(plain_type(kind.key_type, column), plain_type(kind.item_type, column))
    if t.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type, column), kind.list_size)
    if t.is_large_list(kind):
        return pa.large_list(plain_type(kind.value_type, column))
    if t.is_list(kind) or t.is_list_view(kind) or t.is_large_list_view(kind):
        return pa.list_(plain_type(kind.value_type, column))
    if t.is_primitive(kind) or t.is_null(kind) or _is_text(kind) or _is_bytes(kind):
        return kind
    raise DataError(f"column {column!r} has the Arrow type {kind}, which has no JSON form: drop or convert it")


def to_rows(table: pa.Table) -> list[dict[str, Any]]:
    """JSON-able rows. Raises UnicodeDecodeError where a text value is not UTF-8."""
    columns = []
    for field in table.schema:
        plain = plain_type(field.type, field.name)
        values = table.column(field.name)
        if not plain.equals(field.type):
            values = values.cast(plain)
        listed = values.to_pylist()
        columns.append([_plain(v, plain) for v in listed] if _needs_python(plain) else listed)
    names = table.column_names
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def to_table(rows: Sequence[dict[str, Any]], schema: pa.Schema, uri: str) -> pa.Table:
    """Inverse of `to_rows`. Raises DataError naming the column whose values no longer fit its type."""
    import pyarrow as pa

    arrays = []
    for field in schema:
        plain = plain_type(field.type, field.name)
        values: Iterable[Any] = (row.get(field.name) for row in rows)
        try:
            if _needs_python(plain):
                values = (_restored(v, plain) for v in values)
            elif pa.types.is_string(plain) or pa.types.is_large_string(plain):
                # As in a CSV cell: such a column may have been one, and is read back so.
                values = (json.dumps(v, ensure_ascii=False) if isinstance(v, list) else v for v in values)
            arrays.append(_cast(pa.array(list(values), type=plain), field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            raise DataError(
                f"{uri}: column {field.name!r} now holds values that do not fit its type {field.type}"
            ) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def dump_schema(schema: pa.Schema) -> str:
    """The schema with its metadata as base64 text."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")


def load_schema(text: str) -> pa.Schema:
    """Inverse of `dump_schema`."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """A new array, not a slice, of a plain type as one of the type that `plain_type` made it from.

    Arrow's own cast of a struct or list also casts what lies below a null, where `pa.array` puts an empty text: no
    date, and no number. Here what lies below a null is null.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types as t

    if array.type.equals(kind):
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(_cast(array, kind.storage_type))
    if t.is_struct(kind):
        children = [_child(child, kind.field(i)) for i, child in enumerate(array.flatten())]
    elif t.is_map(kind):
        entries = pa.StructArray.from_arrays(
            [array.keys, array.items], fields=[array.type.key_field, array.type.item_field]
        )
        children = [_cast(entries, pa.struct([kind.key_field, kind.item_field]))]
    elif t.is_fixed_size_list(kind):
        below = array.is_null().to_numpy(zero_copy_only=False).repeat(kind.list_size)
        children = [_cast(pc.if_else(below, None, array.values), kind.value_type)]
    elif t.is_list(kind) or t.is_large_list(kind):
        children = [_cast(array.values, kind.value_type)]
    else:
        return array.cast(kind)
    own = array.buffers()[: 1 if t.is_struct(kind) or t.is_fixed_size_list(kind) else 2]
    return pa.Array.from_buffers(kind, len(array), own, array.null_count, children=children)


def _child(array: pa.Array, field: pa.Field) -> pa.Array:
    """A struct's field, cast. One that must have a value has Arrow's own filler below a null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _cast(array, field.type)
    if field.nullable or not values.null_count:
        return values
    return pc.if_else(values.is_null(), pa.array([None], type=pa.struct([field])).field(0)[0], values)


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_binary(kind) or t.is_large_binary(kind) or t.is_binary_view(kind) or t.is_fixed_size_binary(kind)


def _needs_python(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    if _is_bytes(kind) or t.is_map(kind):
        return True
    return any(_needs_python(kind.field(i).type) for i in range(kind.num_fields))


def _plain(value: Any, kind: pa.DataType) -> Any:
    from pyarrow import types as t

    if value is None:
        return None
    if _is_bytes(kind):
        return base64.b64encode(value).decode("ascii")
    if t.is_struct(kind):
        return {k: _plain(v, kind.field(k).type) for k, v in value.items()}
    if t.is_map(kind):
        return [[_plain(k, kind.key_type), _plain(v, kind.item_type)] for k, v in value]
    if isinstance(value, list):
        return [_plain(v, kind.value_type) for v in value]
    return value


def _restored(value: Any, kind: pa.DataType) -> Any:
    from pyarrow import types as t

    if value is None:
        return None
    if _is_bytes(kind):
        return base64.b64decode(value, validate=True)
    if t.is_struct(kind):
        return {k: _restored(v, kind.field(k).type) for k, v in value.items() if kind.get_field_index(k) >= 0}
    if t.is_map(kind):
        return [(_restored(k, kind.key_type), _restored(v, kind.item_type)) for k, v in value]
    if isinstance(value, list):
        return [_restored(v, kind.value_type) for v in value]
    return value

"""Metadata that every asset reports in the same words."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

_TYPES = {
    "string": "text",
    "extension<arrow.uuid>": "uuid",
    "extension<arrow.json>": "jsonb",
    "date32[day]": "date",
}


def column_schema(schema: pa.Schema) -> dg.TableSchema:
    """Show Arrow columns as Dagster's column schema."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.name,
                type=_TYPES.get(str(field.type), str(field.type)),
                constraints=dg.TableColumnConstraints(nullable=field.nullable),
            )
            for field in schema
        ]
    )


def about(table: str, schema: pa.Schema) -> dict[str, Any]:
    """Return what is always true of an asset: its table and columns."""
    return {"dagster/table_name": table, "dagster/column_schema": column_schema(schema)}


def table(rows: Sequence[Mapping[str, Any]]) -> dg.MetadataValue[Any]:
    """Show rows as a table; values that are neither number, text nor null are shown as text."""
    plain = (int, float, str, bool, type(None))
    records = [
        dg.TableRecord({k: v if isinstance(v, plain) else str(v) for k, v in row.items()}) for row in rows
    ]
    if not records:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.table(records)

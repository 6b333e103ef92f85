"""Whose columns are which: a small TOML file for other people's schemas.

    [wave_batches]
    table = "import_batches"
    schema = "app"

    [wave_batches.columns]
    batch_id = "id"
    status = "state"

    [wave_batches.values.status]
    queued = "pending"

What is not named goes by the published report's names. Knows no database.
"""

import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from wavecheck.coordinator.sql import TableNames
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.files import read_text

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "wave_batches": ("batch_id", "job_id", "status", "created_at"),
    "waves": ("job_id", "wave_number", "status"),
    "jobs": ("job_id", "status"),
    "calls": ("job_id", "called_at"),
    "messages": ("batch_id",),
}
OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "wave_batches": (
        "wave_number",
        "parent_ids",
        "dispatched_at",
        "completed_at",
        "attempt",
    ),
    "waves": ("kind", "is_sealed", "updated_at"),
    "jobs": ("parents_total", "completed_at"),
    "calls": ("wave_number", "call_number", "batches_dispatched"),
    "messages": ("attempt", "sent_at"),
}
_TABLES: Final = {"calls": "dispatch_calls", "messages": "dispatch_queue"}
"""Names of tables that are not ours for the same thing."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    table: str | None = Field(default=None, min_length=1)
    schema_: str | None = Field(default=None, alias="schema", min_length=1)
    columns: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}


_Mapping = create_model(
    "_Mapping",
    __config__=ConfigDict(extra="forbid"),
    **{name: (_Table, _Table()) for name in REQUIRED},  # type: ignore[call-overload]  # the names are data
)


class Mapping:
    """How somebody calls our tables, columns and statuses.

    Attributes:
        names: by our name of the table.
        values: by table and column, our value for each of theirs.
    """

    def __init__(self, tables: dict[str, _Table] | None = None) -> None:
        given = tables or {}
        self.names: dict[str, TableNames] = {}
        self.values: dict[tuple[str, str], dict[str, str]] = {}
        for ours, required in REQUIRED.items():
            one = given.get(ours, _Table())
            known = (*required, *OPTIONAL[ours])
            for column in (*one.columns, *one.values):
                if column not in known:
                    raise unknown_name(f"column of {ours}", column, list(known))
            named = [*one.columns, *(["table"] if one.table is not None else [])]
            self.names[ours] = TableNames(
                ours=ours,
                table=one.table or _TABLES.get(ours, ours),
                schema=one.schema_,
                columns={column: one.columns.get(column, column) for column in known},
                required=required,
                named=named,
            )
            for column, values in one.values.items():
                self.values[ours, column] = values


def read_mapping(path: Path | None) -> Mapping:
    """Read a mapping; without a file, the published names.

    Raises:
        InvalidScenario: it cannot be read, is not TOML, or names what is not ours.
    """
    if path is None:
        return Mapping()
    text = read_text(path)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a huge number, endless nesting
        raise InvalidScenario(f"{path}: not TOML: {error}") from error
    try:
        tables: Any = _Mapping.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidScenario(
            f"{path}, {field}\n"
            f"  expected  {first['msg']}\n"
            f"  got       {first['input']!r:.200}\n"
            f"next: the tables are {', '.join(REQUIRED)}; see docs/incidents.md"
        ) from error
    try:
        return Mapping({name: getattr(tables, name) for name in REQUIRED})
    except InvalidScenario as error:
        raise InvalidScenario(f"{path}: {error}") from error

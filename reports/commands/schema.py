"""The command `schema`: the tables of a database, as a world takes them."""

from typing import Annotated

import typer

from wavecheck.scenarios.database.existing import schema_of_database


def schema_command(
    *,
    url: Annotated[
        str, typer.Option("--db", metavar="URL", help="Of the PostgreSQL database.")
    ],
) -> int:
    """Write the schema of a database as DDL for w.postgresql(...)."""
    ddl, left_out = schema_of_database(url)
    typer.echo(ddl, nl=False)
    for one in left_out:
        typer.echo(f"-- left out, not in the model: {one}")
    return 0

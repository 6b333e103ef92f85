"""What a first world is made from: models, a Django project, or tables."""

from importlib.util import find_spec
from pathlib import Path

from wavecheck.reports.project.first_world import Origin
from wavecheck.scenarios.database.existing import schema_of_database
from wavecheck.scenarios.loading import load_module
from wavecheck.sim.errors import InvalidScenario


def from_sqlalchemy(name: str) -> Origin:
    """Return the models of a module.

    Raises:
        InvalidScenario: it has none.
        CoordinatorError: it does not import.
    """
    # Imported here and below: each needs a package that need not be there.
    from wavecheck.scenarios.drivers import sqlalchemy

    found = sqlalchemy.metadata_in(load_module(name))
    if found is None:
        raise InvalidScenario(
            f"module {name} has no models\n"
            "  expected  a declarative base, or a MetaData, with tables"
        )
    expression, metadata = found
    return Origin(
        kind="sqlalchemy",
        ddl=sqlalchemy.schema_of(metadata, "postgresql"),
        schema=expression,
        imports=(f"from {name} import {expression.partition('.')[0]}",),
        defaults=sqlalchemy.defaults_of(metadata),
    )


def from_django(settings: str) -> Origin:
    """Return the models of a project's own applications.

    Raises:
        InvalidScenario: its settings do not load, or it has no models.
    """
    if find_spec("django") is None:
        raise InvalidScenario("--django needs Django\nnext: pip install Django")
    import sys

    sys.path.insert(0, "")
    try:
        from wavecheck.scenarios.drivers import django

        found = django.project_models(settings)
        models = [model for held in found.values() for model in held]
        ddl = django.schema_of(models, "postgresql")
    finally:
        sys.path.remove("")
    by_module: dict[str, list[str]] = {}
    for one in models:
        by_module.setdefault(one.__module__, []).append(one.__name__)
    return Origin(
        kind="django",
        ddl=ddl,
        schema=f"[{', '.join(one.__name__ for one in models)}]",
        before=(
            "import os",
            "",
            "import django",
            "",
            f'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")',
            "django.setup()",
            "",
        ),
        imports=tuple(
            f"from {module} import {', '.join(names)}"
            for module, names in by_module.items()
        ),
        defaults=django.defaults_of(models),
    )


def from_psycopg(where: str) -> Origin:
    """Return the tables of a database, or of a file of DDL.

    Raises:
        InvalidScenario: it cannot be read.
    """
    if "://" in where:
        ddl, _ = schema_of_database(where)
    elif not Path(where).is_file():
        raise InvalidScenario(
            f"{where}: no such file\n"
            "  expected  postgresql://..., or a file with CREATE TABLE statements"
        )
    else:
        ddl = Path(where).read_text(encoding="utf-8")
    return Origin(kind="psycopg", ddl=ddl, schema=f'"""\n{ddl.strip()}\n"""')

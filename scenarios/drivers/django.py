"""Django's ORM over a world's sessions: the project's own settings and models.

Django's backend for PostgreSQL runs on psycopg, and that one for SQLite on sqlite3, as
in production; both drivers lead to the world's database while a task runs. Each task
has its own connections, as each thread or process has.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import django
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.utils.connection import BaseConnectionHandler

from wavecheck.scenarios.drivers.reaching import replace
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.surroundings import task_locals

_ENGINES: Final = {
    "postgresql": "django.db.backends.postgresql",
    "sqlite": "django.db.backends.sqlite3",
}


def is_model(value: object) -> bool:
    """Return whether a value is a model of Django's that has a table."""
    return (
        isinstance(value, type)
        and issubclass(value, Model)
        and value is not Model
        and not value._meta.abstract
    )


def schema_of(models: Iterable[type[Model]], family: str) -> str:
    """Return the DDL of models, as Django's migrations would write it.

    Args:
        models: in the order in which tables refer to each other.
        family: `postgresql` or `sqlite`.

    Raises:
        InvalidScenario: the settings are not there, or are for another database.
    """
    try:
        engine = connections.settings["default"]["ENGINE"]
    except ImproperlyConfigured as error:
        raise InvalidScenario(
            f"Django's settings do not load: {error}\n"
            "next: django.setup() in the world file, with DJANGO_SETTINGS_MODULE set"
        ) from error
    if engine != _ENGINES[family]:
        raise InvalidScenario(
            f"the settings' default database is {engine}\n"
            f"  expected  {_ENGINES[family]}, for a world's {family}"
        )
    connection = connections.create_connection("default")
    vars(connection)["pg_version"] = 180000  # a server would be asked for it
    editor = connection.schema_editor(collect_sql=True, atomic=False)
    with editor:
        for model in models:
            editor.create_model(model)
    return "\n".join([str(one) for one in editor.collected_sql])


def project_models(settings: str) -> dict[str, list[type[Model]]]:
    """Return the models of a project's own applications, by application.

    Args:
        settings: the module of its settings.

    Raises:
        InvalidScenario: they do not import, or the project has no model.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = settings  # noqa: TID251 - Django reads it
    try:
        django.setup()
    except Exception as error:
        raise InvalidScenario(
            f"Django's settings {settings!r} do not load: {type(error).__name__}:"
            f" {error}\n"
            "next: run this where manage.py is, with the module that it names"
        ) from error
    found = {
        one.name: list(one.get_models())
        for one in apps.get_app_configs()
        if not one.name.startswith("django.") and list(one.get_models())
    }
    if not found:
        raise InvalidScenario(
            f"no application in {settings!r} has a model of its own\n"
            "  expected  one of INSTALLED_APPS, beside Django's own"
        )
    return found


def defaults_of(models: Iterable[type[Model]]) -> dict[str, dict[str, Any]]:
    """Return what models give to fields that are left out, by table and column."""
    return {
        model._meta.db_table: {
            str(one.column): one.get_default()
            for one in model._meta.concrete_fields
            if one.has_default()
        }
        for model in models
    }


def _own(handler: Any, alias: str) -> Any:
    """Return the running task's connection of an alias."""
    held = task_locals()
    if (handler, alias) not in held:
        if alias not in handler.settings:
            raise handler.exception_class(f"The connection '{alias}' doesn't exist.")
        held[handler, alias] = handler.create_connection(alias)
    return held[handler, alias]


def _set_own(handler: Any, alias: str, connection: Any) -> None:
    task_locals()[handler, alias] = connection


def _forget_own(handler: Any, alias: str) -> None:
    del task_locals()[handler, alias]


def _all(handler: Any, initialized_only: bool = False) -> list[Any]:
    held = task_locals()
    return [
        handler[alias]
        for alias in handler
        if not initialized_only or (handler, alias) in held
    ]


def install() -> None:
    """Let the project's connections lead to the world's database in tasks."""
    replace(BaseConnectionHandler, "__getitem__", _own)
    replace(BaseConnectionHandler, "__setitem__", _set_own)
    replace(BaseConnectionHandler, "__delitem__", _forget_own)
    replace(BaseConnectionHandler, "all", _all)
    with suppress(ImproperlyConfigured):  # without psycopg there is no such backend
        backend = import_module("django.db.backends.postgresql.base")
        # A named cursor saves memory; what it reads is the same.
        plain = vars(BaseDatabaseWrapper)["chunked_cursor"]
        replace(backend.DatabaseWrapper, "chunked_cursor", plain)

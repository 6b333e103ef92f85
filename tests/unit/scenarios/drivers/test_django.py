"""Django in a world: the project's own backend, models and transactions."""

import django
import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

if not settings.configured:  # another test of this process has done it
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "shop",
                "HOST": "db.example",
            }
        },
        USE_TZ=True,
        SECRET_KEY="none",
    )
django.setup()

from django.db import models  # noqa: E402 - it needs the settings
from django.db.models import F  # noqa: E402 - likewise

from wavecheck.scenarios.drivers import django as driver  # noqa: E402 - likewise
from wavecheck.scenarios.drivers import psycopg3  # noqa: E402 - likewise
from wavecheck.scenarios.drivers.postgresql import PostgreSQL  # noqa: E402 - likewise
from wavecheck.scenarios.drivers.running import run_code  # noqa: E402 - likewise
from wavecheck.sim.kernel import Kernel  # noqa: E402 - likewise


class Job(models.Model):
    id = models.IntegerField(primary_key=True)
    state = models.TextField(default="new", db_index=True)

    class Meta:
        app_label = "jobs"
        db_table = "jobs"


@pytest.fixture(autouse=True)
def installed():
    psycopg3.install()
    driver.install()


def test_atomic_and_select_for_update(perform, double):
    """A claim in `atomic`: begin, lock, update, commit; on_commit runs behind it."""
    done = []

    def code():
        with transaction.atomic():
            job = Job.objects.select_for_update(skip_locked=True).order_by("id")[0]
            Job.objects.filter(id=job.id).update(state="it's", id=F("id") + 10)
            transaction.on_commit(lambda: done.append(job.id))
            assert not done

    perform(code)
    assert done == [1]
    assert [sql for sql, _ in double.statements] == [
        "BEGIN",
        'SELECT "jobs"."id", "jobs"."state" FROM "jobs" ORDER BY "jobs"."id" ASC'
        " LIMIT 1 FOR UPDATE SKIP LOCKED",
        'UPDATE "jobs" SET "state" = \'it\'\'s\', "id" = ("jobs"."id" + 10)'
        ' WHERE "jobs"."id" = 1',
        "COMMIT",
    ]


def test_autocommit_and_savepoints(perform, double):
    """Outside of `atomic` a statement is alone; an inner one is a savepoint."""

    def code():
        assert Job.objects.count() == 3
        with transaction.atomic():
            with pytest.raises(IntegrityError), transaction.atomic():
                Job.objects.create(id=1)
            return [job.id for job in Job.objects.filter(state="new").iterator()]

    assert perform(code) == [[1, 2]]
    said = [sql.split()[0] for sql, _ in double.statements]
    assert said == [
        *("SELECT", "BEGIN", "SAVEPOINT", "INSERT", "ROLLBACK", "RELEASE"),
        *("SELECT", "COMMIT"),
    ]


def test_each_task_has_its_own_connection(perform, double):
    """Two tasks, two sessions; outside of a world nothing is connected."""
    perform(Job.objects.first, Job.objects.first)
    assert len(double.sessions) == 2
    assert connection.connection is None


def test_schema_comes_from_models():
    """The DDL is what Django's migrations write."""
    ddl = driver.schema_of([Job], "postgresql")
    assert ddl.splitlines()[0] == (
        'CREATE TABLE "jobs" ("id" integer NOT NULL PRIMARY KEY,'
        ' "state" text NOT NULL);'
    )
    assert 'CREATE INDEX "jobs_state_' in ddl


def test_settings_for_another_database_are_refused():
    """A world's SQLite and settings for PostgreSQL do not fit."""
    from wavecheck.sim.errors import InvalidScenario

    with pytest.raises(InvalidScenario, match=r"default database is django\.db"):
        driver.schema_of([Job], "sqlite")


def test_creating_and_counting_on_the_model():
    """ignore_conflicts, get_or_create, update_or_create and F(), as on a server."""
    kernel, found = Kernel(timed=False), []
    db = PostgreSQL(kernel, [Job])

    def code():
        Job.objects.bulk_create([Job(id=1), Job(id=2, state="a")])
        Job.objects.bulk_create(
            [Job(id=2, state="b"), Job(id=3)], ignore_conflicts=True
        )
        found.append(Job.objects.get_or_create(id=3, defaults={"state": "no"})[1])
        found.append(Job.objects.get_or_create(id=4, defaults={"state": "yes"})[1])
        found.append(Job.objects.update_or_create(id=1, defaults={"state": "up"})[1])
        found.append(Job.objects.filter(id__gte=3).update(id=F("id") + 10))
        locked = Job.objects.select_for_update(skip_locked=True, of=("self",))
        with transaction.atomic():
            found.append(locked.order_by("id").first().id)

    kernel.spawn(run_code(code), "task")
    kernel.run_to_quiescence()
    assert found == [False, True, False, 2, 1]
    rows = [(row.id, row.state) for row in db.database.rows("jobs")]
    assert rows == [(1, "up"), (2, "a"), (13, "new"), (14, "yes")]

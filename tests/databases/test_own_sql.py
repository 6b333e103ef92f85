"""Dispatchers with SQL of their own: as companies write them, by PostgreSQL's rules."""

import re

import pytest

from wavecheck import check, find_scenario
from wavecheck.sim.errors import CoordinatorError, WavecheckError
from wavecheck.sim.verdict import Outcome

DISPATCHER = """
class Dispatcher:
    def __init__(self, connection):
        self.connection = connection

    def check_and_trigger_next_wave(self, job_id):
        with self.connection.cursor() as cur:
            cur.execute(
                "SELECT wave_number FROM waves WHERE job_id = %s"
                " AND status <> 'completed' ORDER BY wave_number",
                (job_id,),
            )
            waves = cur.fetchall()
        self.connection.commit()
        for (number,) in waves:
            self.dispatch_wave(job_id, number)
            self.finish_wave(job_id, number)

    def dispatch_wave(self, job_id, number):
BODY

    def send(self, cur, job_id, number):
        cur.execute(
            "UPDATE waves SET status = 'processing', updated_at = now()"
            " WHERE job_id = %s AND wave_number = %s AND status = 'pending'",
            (job_id, number),
        )
        cur.execute(
            "SELECT batch_id FROM wave_batches WHERE job_id = %(job)s"
            " AND wave_number = %(wave)s AND status = 'pending'"
            " ORDER BY batch_id FOR UPDATE SKIP LOCKED",
            {"job": job_id, "wave": number},
        )
        for (batch_id,) in cur.fetchall():
            cur.execute(
                "UPDATE wave_batches SET status = 'dispatched',"
                " dispatched_at = now() WHERE batch_id = %s",
                (batch_id,),
            )
            cur.execute(
                "INSERT INTO dispatch_queue (batch_id) VALUES (%s)", (batch_id,)
            )

    def finish_wave(self, job_id, number):
        with self.connection.cursor() as cur:
            cur.execute(
                "UPDATE waves SET status = 'completed', updated_at = now()"
                " WHERE job_id = %s AND wave_number = %s AND status = 'processing'"
                " AND is_sealed AND NOT EXISTS (SELECT 1 FROM wave_batches b"
                " WHERE b.job_id = waves.job_id"
                " AND b.wave_number = waves.wave_number AND b.status <> 'completed')",
                (job_id, number),
            )
        self.connection.commit()
"""

BODIES = {
    "begin": """
        cur = self.connection.cursor()
        try:
            cur.execute("BEGIN")
            self.send(cur, job_id, number)
            cur.execute("COMMIT")
        except Exception:
            self.connection.rollback()
            raise
""",
    "implicit": """
        self.send(self.connection.cursor(), job_id, number)
        self.connection.commit()
""",
    "transaction": """
        with self.connection.transaction(), self.connection.cursor() as cur:
            self.send(cur, job_id, number)
""",
    "with": """
        with self.connection, self.connection.cursor() as cur:
            self.send(cur, job_id, number)
""",
}


@pytest.fixture
def search(tmp_path):
    """Search a few executions of one way to dispatch a wave."""

    def run(body, **settings):
        path = tmp_path / "dispatcher.py"
        path.write_text(DISPATCHER.replace("BODY", body))
        return check(
            find_scenario("own-sql"),
            f"{path}:Dispatcher",
            settings=settings,
            executions=15,
            shrinks=False,
        )

    return run


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("begin", "psycopg"),
        ("implicit", "psycopg"),
        ("transaction", "psycopg"),
        ("begin", "psycopg2"),
        ("implicit", "psycopg2"),
        ("with", "psycopg2"),
    ],
)
def test_what_locks_its_rows_is_right(search, name, driver):
    """Nothing is refused and nothing is found: the second caller gets nothing."""
    result = search(BODIES[name], driver=driver)
    assert not result.has_violation()
    assert outcomes(result)["no_double_dispatch"] is Outcome.NOT_FOUND


def test_a_block_that_closes_psycopgs_connection_is_found(search):
    """Psycopg 3 closes at the end of `with conn:`; what comes after raises."""
    found = outcomes(search(BODIES["with"]))
    assert found["no_error"] is Outcome.VIOLATED
    assert found["no_double_dispatch"] is Outcome.NOT_FOUND


def test_without_its_lock_it_sends_twice(search):
    """The same dispatcher without FOR UPDATE sends a batch a second time."""
    result = check(find_scenario("own-sql"), "unlocked", executions=15, shrinks=False)
    assert outcomes(result)["no_double_dispatch"] is Outcome.VIOLATED


def test_what_the_model_does_not_know_is_refused_with_the_line(search):
    """The statement, the user's line, and the way out."""
    body = "        self.connection.execute('CREATE TABLE x (id int)')"
    with pytest.raises(WavecheckError) as caught:
        search(body)
    said = str(caught.value)
    assert re.search(r"\n  at +.*dispatcher\.py:\d+ in .*dispatch_wave", said)
    assert "--db URL" in said


@pytest.mark.parametrize(
    ("scenario", "takes", "elsewhere"),
    [("import-job", "connection", "own-sql"), ("own-sql", "db", "import-job")],
)
def test_a_class_for_the_other_scenario_is_sent_there(
    tmp_path, scenario, takes, elsewhere
):
    """A connection where there is no SQL, and the reverse, say where to go."""
    path = tmp_path / "code.py"
    path.write_text(
        f"class Code:\n    def __init__(self, {takes}): ...\n"
        "    def check_and_trigger_next_wave(self, job_id): ...\n"
        "    def dispatch_wave(self, job_id, number): ...\n"
    )
    with pytest.raises(CoordinatorError, match=f"next: wavecheck check {elsewhere}"):
        check(find_scenario(scenario), f"{path}:Code", executions=1)

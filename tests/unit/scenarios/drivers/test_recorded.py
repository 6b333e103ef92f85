"""Calls that name a task: it runs as one of the world, early or late acknowledged."""

import pytest
from celery import Celery

import wavecheck as wc
from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.errors import CoordinatorError, InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.verdict import Outcome

SCHEMA = "CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL)"
TWICE = "SELECT argument FROM mail GROUP BY argument HAVING count(*) > 1"

app = Celery("shop", broker="amqp://broker.example")


@app.task
def early(order_id):
    """Acknowledged before it runs."""
    MAIL.send(order_id)


@app.task(acks_late=True)
def late(order_id):
    """Acknowledged when it has run."""
    MAIL.send(order_id)


class _Mail:
    """Stands for a module's client, which a world exchanges."""

    stand_in = None

    def send(self, order_id):
        """Send a mail."""
        return self.stand_in.send(order_id)


MAIL = _Mail()


@wc.world(code={"early": early, "late": late})
def through_celery(w):
    """A view that puts a task into Celery's queue."""
    db = w.postgresql(SCHEMA, calls=["mail", "celery"])
    db.celery(app)
    MAIL.stand_in = db.calls("mail")
    w.task("view", w.code.delay, 7)
    w.never("mailed twice", TWICE)
    w.at_the_end(
        "never mailed", "SELECT 1 FROM celery WHERE NOT EXISTS (SELECT * FROM mail)"
    )


class Clerk:
    """Code that is given a queue, and knows nothing of Celery."""

    def __init__(self, jobs):
        self.jobs = jobs

    def place(self):
        """Place two orders."""
        self.jobs.work.delay(1)
        self.jobs.work.apply_async([2], {"note": {"by": "hand"}}, countdown=5)


@wc.world
def by_hand(w):
    """Tasks that a call names, without Celery."""
    done = w.counter("done")

    async def work(order_id, note=None):
        await done.add((order_id, str(note)))

    db = w.postgresql(SCHEMA, calls=["jobs"])
    w.task("clerk", Clerk(db.calls("jobs", runs={"work": work})).place)
    w.at_the_end(
        "left", lambda: [] if done.get((2, "{'by': 'hand'}")) else ["no second"]
    )


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


def test_a_task_runs_once_where_no_worker_dies():
    """Celery's delay is a row, and its task mails: proved if acknowledged early."""
    found = outcomes(wc.prove(through_celery, "early"))
    assert set(found.values()) == {Outcome.PROVED}


def test_a_late_acknowledgement_may_be_lost():
    """With acks_late the task may run again: mailed twice, in search and proof."""
    for ask in (wc.prove, wc.check):
        found = outcomes(ask(through_celery, "late"))
        assert found["mailed twice"] is Outcome.VIOLATED
        assert found["never mailed"] is not Outcome.VIOLATED


def test_a_worker_that_dies_loses_what_it_has_acknowledged():
    """A crash: acknowledged early nobody is mailed; late another worker mails."""
    found = outcomes(wc.prove(through_celery, "early", faults={"crash": 1}))
    assert found["never mailed"] is Outcome.VIOLATED
    assert found["mailed twice"] is Outcome.PROVED
    found = outcomes(wc.prove(through_celery, "late", faults={"crash": 1}))
    assert found["never mailed"] is Outcome.PROVED


def test_a_call_may_name_a_function_of_the_worlds():
    """`runs` says what a method's call lets a task run; arguments go as JSON."""
    assert set(outcomes(wc.prove(by_hand)).values()) == {Outcome.PROVED}


def test_celery_in_a_world_without_it_is_refused():
    """A task that is called where no table is kept is named, with what to do."""
    kernel = Kernel(timed=False)
    PostgreSQL(kernel, SCHEMA)
    with pytest.raises(
        CoordinatorError, match=r"Celery's task .*early[^$]*calls=\['ce"
    ):
        kernel.spawn(run_code(early.delay, [7]), "view")


def test_what_acknowledges_means_nothing_is_refused():
    """Anything but early and late is said."""
    db = PostgreSQL(Kernel(timed=False), SCHEMA, calls=["mail"])
    with pytest.raises(InvalidScenario, match="expected  'early' or 'late'"):
        db.calls("mail", acknowledges="never")

"""Workers that each claim a pending job: worlds for tests of searches on servers."""

import psycopg

import wavecheck as wc

SCHEMA = """
CREATE TABLE jobs (
    id int PRIMARY KEY, status text NOT NULL DEFAULT 'pending', claims int NOT NULL)
"""
NEXT = "SELECT id FROM jobs WHERE status = 'pending' ORDER BY id LIMIT 1"
CLAIM = "UPDATE jobs SET status = 'running', claims = claims + 1 WHERE id = %s"


def _claim(connection, select, update):
    with connection.cursor() as cursor:
        cursor.execute(select)
        row = cursor.fetchone()
        if row:
            cursor.execute(update, row)
    connection.commit()


def naive(connection):
    """Look, then write."""
    _claim(connection, NEXT, CLAIM)


def guarded(connection):
    """Look, then write if it is still so."""
    _claim(connection, NEXT, f"{CLAIM} AND status = 'pending'")


def skipping(connection):
    """Pass over what another one has in hand."""
    _claim(connection, f"{NEXT} FOR UPDATE SKIP LOCKED", CLAIM)


def crossing(connection):
    """Write two rows, in an order that the session's number decides."""
    number = connection.execute("SELECT nextval('turns')").fetchone()[0]
    connection.commit()
    for job in (0, 1) if number % 2 else (1, 0):
        connection.execute(CLAIM, [job])
    connection.commit()


def stubborn(connection):
    """The same, again and again until it is done."""
    while True:
        try:
            crossing(connection)
        except psycopg.errors.DeadlockDetected:
            connection.rollback()
        else:
            return


CODE = {"naive": naive, "guarded": guarded, "skipping": skipping}


@wc.world(sizes={"workers": 3, "jobs": 3}, code=CODE)
def claim(w):
    """Workers that each claim a pending job."""
    rows = [{"id": number, "claims": 0} for number in range(w.jobs)]
    db = w.postgresql(SCHEMA, rows={"jobs": rows})
    names = [f"worker-{number}" for number in range(w.workers)]
    for name in names:
        w.task(name, w.code, db.connect())
    w.alike(*names)
    w.never("claimed twice", "SELECT id FROM jobs WHERE claims > 1")


@wc.world(code={"crossing": crossing, "stubborn": stubborn})
def cross(w):
    """Two sessions that take two locks in different orders."""
    db = w.postgresql(
        f"{SCHEMA}; CREATE SEQUENCE turns",
        rows={"jobs": [{"id": 0, "claims": 0}, {"id": 1, "claims": 0}]},
    )
    for number in range(2):
        w.task(f"worker-{number}", w.code, db.connect())
    w.at_the_end("half done", "SELECT id FROM jobs WHERE claims <> 2")


def several(connection):
    """Send two statements as one text."""
    connection.execute("SELECT 1; SELECT 2")


def making(connection):
    """Make a table."""
    connection.execute("CREATE TABLE more (id int)")


def copying(connection):
    """Copy rows."""
    connection.cursor().copy("COPY jobs TO STDOUT")


_CALLS = []


def counting(connection):
    """Keep a counter beside the database."""
    _CALLS.append(1)
    connection.execute("UPDATE jobs SET claims = claims + %s", [len(_CALLS)])
    connection.commit()


@wc.world(
    code={
        "several": several,
        "making": making,
        "copying": copying,
        "counting": counting,
    }
)
def awkward(w):
    """Code that no search on a server can take."""
    db = w.postgresql(SCHEMA, rows={"jobs": [{"id": 0, "claims": 0}]})
    for number in range(2):
        w.task(f"worker-{number}", w.code, db.connect())
    w.never("fewer than none", "SELECT id FROM jobs WHERE claims < 0")

"""Classic anomalies as worlds: which level of isolation does each need?"""

import psycopg

import wavecheck as wc


def lost_update(connection):
    """Read a counter, write it one higher."""
    (count,) = connection.execute("SELECT n FROM counters WHERE id = 1").fetchone()
    connection.execute("UPDATE counters SET n = %s WHERE id = 1", [count + 1])
    connection.commit()


def write_skew(connection, own):
    """Go off duty, if somebody else is on."""
    (on_duty,) = connection.execute("SELECT count(*) FROM duty WHERE is_on").fetchone()
    if on_duty > 1:
        connection.execute("UPDATE duty SET is_on = false WHERE id = %s", [own])
    connection.commit()


@wc.world(parameters={"isolation": "read committed"})
def counter(w):
    """Two sessions that add one each."""
    db = w.postgresql(
        "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)",
        rows={"counters": [{"id": 1, "n": 0}]},
        isolation=w.isolation,
        calls=["done"],
    )
    done = db.calls("done")

    def add(connection):
        lost_update(connection)
        done.add()

    for number in range(2):
        w.task(f"adder-{number}", add, db.connect())
    w.expect(psycopg.errors.SerializationFailure)
    w.at_the_end(
        "an addition is lost",
        "SELECT n FROM counters WHERE n <> (SELECT count(*) FROM done)",
    )


@wc.world(parameters={"isolation": "read committed"})
def duty(w):
    """Two doctors who each go off duty if the other is on."""
    db = w.postgresql(
        "CREATE TABLE duty (id int PRIMARY KEY, is_on boolean NOT NULL)",
        rows={"duty": [{"id": 1, "is_on": True}, {"id": 2, "is_on": True}]},
        isolation=w.isolation,
    )
    for number in (1, 2):
        w.task(f"doctor-{number}", write_skew, db.connect(), number)
    w.expect(psycopg.errors.SerializationFailure)
    w.at_the_end(
        "nobody is on duty",
        "SELECT 1 WHERE NOT EXISTS (SELECT id FROM duty WHERE is_on)",
    )

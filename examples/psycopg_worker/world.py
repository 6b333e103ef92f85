"""What is checked of the mailer: hosts that send at once, and no mail sent twice."""

from worker import send_next, send_next_locked

import wavecheck as wc

SCHEMA = """
CREATE TABLE outbox (
    id bigint PRIMARY KEY, recipient text NOT NULL, body text NOT NULL,
    sent_at timestamptz)
"""


@wc.world(
    sizes={"hosts": 2, "mails": 2}, code={"now": send_next, "fixed": send_next_locked}
)
def mailer(w: wc.WorldBuilder) -> None:
    """Hosts that each send the next mail."""
    mails = [
        {"id": n, "recipient": f"{n}@example.org", "body": "hello"}
        for n in range(w.mails)
    ]
    db = w.postgresql(SCHEMA, rows={"outbox": mails}, calls=["smtp"])
    for n in range(w.hosts):
        w.task(f"host-{n}", w.code, db.calls("smtp"))
    w.never(
        "sent twice", "SELECT argument FROM smtp GROUP BY argument HAVING count(*) > 1"
    )
    w.at_the_end(
        "sent and not noted",
        "SELECT id FROM outbox WHERE sent_at IS NULL"
        " AND recipient IN (SELECT argument FROM smtp)",
    )

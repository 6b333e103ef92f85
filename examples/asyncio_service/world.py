"""What is checked of the service: no invoice is paid twice, and none is forgotten."""

from service import pay_due, pay_due_fixed

import wavecheck as wc

SCHEMA = "CREATE TABLE invoices (id bigint PRIMARY KEY, state text NOT NULL)"


@wc.world(
    sizes={"replicas": 2, "invoices": 1},
    code={"now": pay_due, "fixed": pay_due_fixed},
)
def paying(w: wc.WorldBuilder) -> None:
    """Replicas that pay what is due; the bank's answer may be late."""
    due = [{"id": n, "state": "due"} for n in range(w.invoices)]
    db = w.postgresql(SCHEMA, rows={"invoices": due}, calls=["bank"])
    for n in range(w.replicas):
        w.task(f"replica-{n}", w.code, db.calls("bank", loses=[TimeoutError]))
    w.never("paid twice", "SELECT argument FROM bank GROUP BY 1 HAVING count(*) > 1")
    w.at_the_end("forgotten", "SELECT id FROM invoices WHERE state = 'sending'")

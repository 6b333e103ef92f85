"""What is checked of the shop: one label and one mail each, and no order forgotten."""

from fixed import Fixed
from production import Base, Fulfilment

import wavecheck as wc

CODE = {"now": Fulfilment, "fixed": Fixed}


@wc.world(sizes={"hosts": 2, "shipments": 1}, code=CODE)
def dispatching(w: wc.WorldBuilder) -> None:
    """Cron on several hosts."""
    rows = [{"id": f"o-{n}", "order_id": "o"} for n in range(w.shipments)]
    db = shop(w, rows)
    service = w.fresh(w.code, db.engine(), db.calls("carrier"), db.calls("mail"))
    for n in range(w.hosts):
        w.task(f"cron-{n}", service.dispatch)
    w.never(
        "labelled twice", "SELECT argument FROM carrier GROUP BY 1 HAVING count(*) > 1"
    )


@wc.world(sizes={"shipments": 2}, parameters={"again": True}, code=CODE)
def delivering(w: wc.WorldBuilder) -> None:
    """Webhooks of the carrier, the last of which comes twice."""
    ids = [f"o-{n}" for n in range(w.shipments)]
    rows = [{"id": one, "order_id": "o", "status": "labelled"} for one in ids]
    db = shop(w, rows)
    service = w.fresh(w.code, db.engine(), db.calls("carrier"), db.calls("mail"))
    for n, one in enumerate([*ids, *ids[-1:] * w.again]):
        w.task(f"webhook-{n}", service.on_delivered, one)
    w.never("mailed twice", "SELECT argument FROM mail GROUP BY 1 HAVING count(*) > 1")
    w.at_the_end("never fulfilled", "SELECT id FROM orders WHERE status <> 'fulfilled'")


def shop(w, rows):  # one order that is paid
    order = {"orders": [{"id": "o", "status": "paid"}], "shipments": rows}
    return w.postgresql(Base.metadata, rows=order, calls=["carrier", "mail"])

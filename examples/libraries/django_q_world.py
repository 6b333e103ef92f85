"""Django Q2's broker on the ORM: clusters that take the next package."""

from datetime import UTC, datetime
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="none",
    USE_TZ=True,
    INSTALLED_APPS=["django_q"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "q"}},
    Q_CLUSTER={"name": "cluster", "orm": "default", "poll": 0, "bulk": 1},
)
django.setup()

from django_q.brokers.orm import ORM  # noqa: E402 - settings first
from django_q.models import OrmQ  # noqa: E402 - likewise

import wavecheck as wc  # noqa: E402 - beside the others


def take(outside: Any) -> None:
    """Take the next package, do it, and acknowledge it, as a cluster's pusher does."""
    broker = ORM("cluster")
    for key, payload in broker.dequeue() or ():
        outside.done(payload)
        broker.acknowledge(key)


@wc.world(sizes={"clusters": 2, "packages": 1})
def clusters(w: wc.WorldBuilder) -> None:
    """Clusters on one queue."""
    locked = datetime(1999, 12, 31, tzinfo=UTC)
    queue = [
        {"id": n, "key": "cluster", "payload": f"package-{n}", "lock": locked}
        for n in range(w.packages)
    ]
    db = w.postgresql([OrmQ], rows={"django_q_ormq": queue}, calls=["outside"])
    for n in range(w.clusters):
        w.task(f"cluster-{n}", take, db.calls("outside"))
    w.never("done twice", "SELECT argument FROM outside GROUP BY 1 HAVING count(*) > 1")
    w.at_the_end("left", "SELECT id FROM django_q_ormq")

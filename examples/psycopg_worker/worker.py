"""Sends the mails of an outbox. Runs on two hosts, so that one may be down."""

import logging
import os
import time
from typing import Any

import psycopg
from psycopg.rows import dict_row

log = logging.getLogger(__name__)

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://mailer@localhost/shop")
POLL_SECONDS = 5.0


def send_next(smtp: Any) -> bool:
    """Send the oldest mail that waits; say whether there was one."""
    with psycopg.connect(DATABASE_URL, row_factory=dict_row) as conn:
        mail = conn.execute(
            "SELECT id, recipient, body FROM outbox"
            " WHERE sent_at IS NULL ORDER BY id LIMIT 1"
        ).fetchone()
        if mail is None:
            return False
        smtp.send(mail["recipient"], mail["body"])
        conn.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", (mail["id"],))
    log.info("sent %s", mail["id"])
    return True


def send_next_locked(smtp: Any) -> bool:
    """The same, but a mail that another host has in hand is passed over."""
    with psycopg.connect(DATABASE_URL, row_factory=dict_row) as conn:
        mail = conn.execute(
            "SELECT id, recipient, body FROM outbox WHERE sent_at IS NULL"
            " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if mail is None:
            return False
        smtp.send(mail["recipient"], mail["body"])
        conn.execute("UPDATE outbox SET sent_at = now() WHERE id = %s", (mail["id"],))
    log.info("sent %s", mail["id"])
    return True


def serve(smtp: Any) -> None:
    """Send whatever comes, for ever."""
    while True:
        if not send_next(smtp):
            time.sleep(POLL_SECONDS)

"""kamu-cli, issue 1398: an outbox poller passes over a message that commits late."""

import wavecheck as wc


@wc.world(
    sizes={"producers": 2},
    code={"original": "id", "by-transaction": "visible", "fixed": "xmin"},
)
def outbox(w):
    """Producers push, each in a transaction; a consumer polls twice."""
    w.messages = w.table("messages", {"id": int, "xid": int})
    boundary = {"consumer": str, "xid": 0, "id": 0}
    w.boundaries = w.table("boundaries", boundary, rows=["consumer"])
    w.db = w.transactions(w.messages, w.boundaries)
    w.sequence, w.xids = w.counter("sequence"), w.counter("xids")
    w.xid = w.counter("xid")  # of each open transaction, by its slot
    w.delivered, w.ended = w.calls("delivered"), w.counter("ended")
    all_ended = w.statement("all_ended", when=lambda: w.ended.now.get() == w.producers)

    def push(db):
        """INSERT: its id from a sequence, its tx_id from pg_current_xact_id()."""
        w.xid.now.set(w.xids.now.add(), db.slot)
        db.messages.insert(w.messages.row_type(w.sequence.now.add(), w.xids.now.get()))

    def read_above(db):
        """SELECT the messages above the boundary, in order."""
        w.xid.now.set(0, db.slot)
        last = db.boundaries.get("consumer")
        rows = list(db.messages)
        if w.code == "id":
            return tuple(sorted(one for one in rows if one.id > last.id))
        running = [w.xid.now.get(one.slot) for one in w.db.now]
        xmin = min([one for one in running if one] or [w.xids.now.get() + 1])
        rows = [one for one in rows if (one.xid, one.id) > (last.xid, last.id)]
        if w.code == "xmin":
            rows = [one for one in rows if one.xid < xmin]
        return tuple(sorted(rows, key=lambda one: (one.xid, one.id)))

    async def produce():
        async with w.db.transaction() as tx:
            await tx.do(push)
        await w.ended.add()

    async def poll():
        async with w.db.transaction() as tx:
            for message in await tx.do(read_above):
                await w.delivered(message.id)
                await tx.boundaries.update("consumer", xid=message.xid, id=message.id)

    async def consume():
        await poll()
        await all_ended()
        await poll()

    for n in range(w.producers):
        w.task(f"producer-{n}", produce)
    w.task("consumer", consume)
    w.at_the_end(
        "every_message_is_delivered",
        lambda: [one.id for one in w.messages.now if not w.delivered.now.get(one.id)],
    )
    w.once("no_message_is_delivered_twice", w.delivered)

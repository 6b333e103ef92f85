"""Order fulfilment: a payment that is told twice, two cron hosts, a carrier."""

from typing import Any

import wavecheck as wc


class AsItIs:  # reads, then updates by the id alone
    guards = False

    def __init__(self, db: Any) -> None:
        self.db = db

    def move(self, table: Any, key: str, old: str, new: str) -> Any:
        where = {"id": key, "status": old} if self.guards else key
        return table.update(where, status=new)

    async def on_payment(self, order: str, lines: int) -> None:
        if not self.guards and (await self.db.orders.find(order)).status != "placed":
            return
        if await self.move(self.db.orders, order, "placed", "paid"):
            for n in range(lines):
                await self.db.shipments.insert_or_ignore(f"{order}-{n}", order)

    async def dispatch(self) -> None:
        for one in await self.db.shipments.select(status="pending"):
            if await self.move(self.db.shipments, one.id, "pending", "labelled"):
                await self.db.label(one.id)

    async def on_delivered(self, shipment: str, order: str) -> None:
        await self.db.shipments.update(shipment, status="delivered")
        if await self.db.shipments.count(status=wc.differs("delivered")) > 0:
            return
        if await self.move(self.db.orders, order, "paid", "fulfilled"):
            await self.db.mail(order)


class Guarded(AsItIs):  # every update says which status it expects
    guards = True


@wc.world(sizes={"lines": 2, "hosts": 2}, code={"as-it-is": AsItIs, "guarded": Guarded})
def orders(w: wc.WorldBuilder) -> None:  # one order of several lines
    w.orders = w.table("orders", {"id": str, "status": "placed"}, rows=["order-1"])
    w.shipments = w.table("shipments", {"id": str, "order": str, "status": "pending"})
    w.label, w.mail = w.calls("label"), w.calls("mail")
    shop = w.fresh(w.code, w)
    minute = w.statement("minute", when=lambda: w.shipments.now.count(status="pending"))
    deliver = w.statement("deliver", when=lambda one: w.label.now.get(one))

    async def cron() -> None:
        while True:
            await minute()
            await shop.dispatch()

    async def carrier(shipment: str) -> None:
        await deliver(shipment)
        await shop.on_delivered(shipment, "order-1")

    for n in range(2):  # the payment provider tells it twice
        w.task(f"payment-{n}", shop.on_payment, "order-1", w.lines)
    for n in range(w.hosts):
        w.task(f"cron-{n}", cron)
    for n in range(w.lines):
        w.task(f"carrier-{n}", carrier, f"order-1-{n}")
    w.once("one_label_each", w.label)
    w.once("one_mail_each", w.mail)
    w.at_the_end("order_is_fulfilled", lambda: w.orders.now.select(status="paid"))
    w.at_the_end("no_shipment_waits", lambda: w.shipments.now.select(status="pending"))

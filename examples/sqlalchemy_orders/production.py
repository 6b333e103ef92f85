"""What the company runs: SQLAlchemy ORM, PostgreSQL; two cron hosts, webhooks that may come twice."""

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="placed")  # placed, paid, fulfilled
    shipments: Mapped[list["Shipment"]] = relationship(back_populates="order")


class Shipment(Base):
    __tablename__ = "shipments"
    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    status: Mapped[str] = mapped_column(
        default="pending"
    )  # pending, labelled, delivered
    order: Mapped[Order] = relationship(back_populates="shipments")


class Fulfilment:
    def __init__(self, engine, carrier, mail):
        self.engine, self.carrier, self.mail = engine, carrier, mail

    def on_payment(self, order_id, lines):
        """Webhook of the payment provider; may come twice."""
        with Session(self.engine) as s, s.begin():
            order = s.get(Order, order_id)
            if order.status != "placed":
                return
            order.status = "paid"
            for n in range(lines):
                s.add(Shipment(id=f"{order_id}-{n}", order_id=order_id))

    def dispatch(self):
        """Cron, on two hosts."""
        with Session(self.engine) as s:
            for shipment in s.scalars(
                select(Shipment)
                .where(Shipment.status == "pending")
                .order_by(Shipment.id)
            ).all():
                shipment.status = "labelled"
                s.commit()
                self.carrier.create_label(shipment.id)

    def on_delivered(self, shipment_id):
        """Webhook of the carrier."""
        with Session(self.engine) as s, s.begin():
            shipment = s.get(Shipment, shipment_id)
            shipment.status = "delivered"
            s.flush()
            rest = s.scalars(
                select(Shipment).where(
                    Shipment.order_id == shipment.order_id,
                    Shipment.status != "delivered",
                )
            ).all()
            if not rest:
                shipment.order.status = "fulfilled"
                self.mail.send(shipment.order_id)

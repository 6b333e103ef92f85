"""Pays invoices: each is sent to the bank, several at a time, by two replicas."""

import asyncio

import asyncpg

DATABASE_URL = "postgresql://billing@localhost/billing"
SECONDS_TO_PAY = 5.0


async def pay_due(bank):
    """Pay whatever is due, two invoices at a time."""
    async with asyncpg.create_pool(DATABASE_URL) as pool:
        due = await pool.fetch("SELECT id FROM invoices WHERE state = 'due'")
        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(_pay(pool, bank, row["id"]))


async def _pay(pool, bank, invoice_id):
    async with pool.acquire() as conn, conn.transaction():
        state = await conn.fetchval(
            "SELECT state FROM invoices WHERE id = $1", invoice_id
        )
        if state != "due":
            return
        try:
            async with asyncio.timeout(SECONDS_TO_PAY):
                await bank.pay(invoice_id)
        except TimeoutError:
            return  # it stays due, and the next round pays it
        await conn.execute(
            "UPDATE invoices SET state = 'paid' WHERE id = $1", invoice_id
        )


async def pay_due_fixed(bank):
    """The same: an invoice is claimed first; one whose answer is late is not due."""
    async with asyncpg.create_pool(DATABASE_URL) as pool:
        due = await pool.fetch("SELECT id FROM invoices WHERE state = 'due'")
        async with asyncio.TaskGroup() as group:
            for row in due:
                group.create_task(_claim_and_pay(pool, bank, row["id"]))


async def _claim_and_pay(pool, bank, invoice_id):
    claimed = await pool.fetchval(
        "UPDATE invoices SET state = 'sending' WHERE id = $1 AND state = 'due'"
        " RETURNING id",
        invoice_id,
    )
    if claimed is None:
        return
    state = "paid"
    try:
        async with asyncio.timeout(SECONDS_TO_PAY):
            await bank.pay(invoice_id)
    except TimeoutError:
        state = "unclear"  # somebody asks the bank
    await pool.execute(
        "UPDATE invoices SET state = $1 WHERE id = $2", state, invoice_id
    )

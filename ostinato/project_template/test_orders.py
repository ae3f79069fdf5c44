"""Tests of the jobs, on a real MongoDB, under a clock that only the test moves.

The fixture `ostinato` starts the servers. No test sleeps: `advance` runs what falls due meanwhile.
"""

from datetime import timedelta

from orders import PRICES, count_open_orders, place_order, send_receipt

from ostinato import JobState
from ostinato.testing import Harness


async def test_a_receipt_is_sent_a_minute_after_the_order(ostinato: Harness) -> None:
    order = await ostinato.app.schedule(place_order, {"item": "tea"}, owner="ada")
    await ostinato.advance(seconds=59)
    assert await ostinato.jobs(send_receipt, JobState.SUCCESS) == []
    await ostinato.advance(seconds=1)
    (receipt,) = await ostinato.jobs(send_receipt, JobState.SUCCESS)
    assert receipt.result == f"receipt for {await order.result()}"


async def test_a_receipt_is_sent_again_while_the_mail_server_is_down(ostinato: Harness) -> None:
    ostinato.fail(send_receipt, times=2, error=ConnectionError("the mail server is down"))
    await ostinato.app.schedule(place_order, {"item": "tea"}, owner="ada")
    await ostinato.advance(minutes=2)
    (receipt,) = await ostinato.jobs(send_receipt)
    assert (receipt.state, receipt.attempt) == (JobState.SUCCESS, 3)


async def test_a_batch_ships_the_orders_of_its_owner(ostinato: Harness) -> None:
    for owner in ("ada", "ada", "grace"):
        await ostinato.app.schedule(place_order, {"item": "tea"}, owner=owner)
    await ostinato.run_due()
    await ostinato.app.start_batch("orders", owner="ada", batch_size=1)
    await ostinato.advance(minutes=1)
    count = await ostinato.app.schedule(count_open_orders)
    await ostinato.run_due()
    assert await count.result() == 1


async def test_open_orders_are_counted_each_night(ostinato: Harness) -> None:
    await ostinato.register_static_crons()
    await ostinato.app.schedule(
        place_order, {"item": "tea"}, owner="ada", run_after=timedelta(hours=12)
    )
    await ostinato.advance(hours=36)
    assert [job.result for job in await ostinato.jobs(count_open_orders)] == [0, 1]


async def test_a_request_is_answered_with_the_price(ostinato: Harness) -> None:
    await ostinato.app.create_with_timeout({"item": "tea", "quantity": 2}, owner="ada")
    await ostinato.run_due()
    (request,) = await ostinato.requests()
    assert request.result == {"price": 2 * PRICES["tea"]}

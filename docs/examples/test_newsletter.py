"""Tests of the functions of the newsletter, as in docs/testing.md."""

from datetime import timedelta

from newsletter import count_subscribers, subscribe, write

from ostinato.testing import BlockingHarness, Harness


async def test_a_reader_gets_a_letter_now_and_a_week_later(ostinato: Harness) -> None:
    await ostinato.app.schedule(subscribe, {"email": "ada"})
    await ostinato.advance(days=7)
    letters = await ostinato.jobs(write)
    assert [job.result for job in letters] == ["Welcome, ada!", "Do you like it?, ada!"]
    assert letters[1].started_at == ostinato.now


async def test_a_letter_is_sent_again_while_smtp_is_down(ostinato: Harness) -> None:
    ostinato.fail(write, times=2, error=ConnectionError("smtp is down"))
    job = await ostinato.app.schedule(write, {"to": "ada", "text": "Welcome"})
    await ostinato.advance(hours=1)
    assert await job.result() == "Welcome, ada!"
    assert (await job.refresh()).attempt == 3


async def test_readers_are_counted_each_night(ostinato: Harness) -> None:
    await ostinato.app.register_cron("count", cronspec="0 3 * * *", function=count_subscribers)
    await ostinato.app.schedule(subscribe, {"email": "ada"}, run_after=timedelta(hours=12))
    await ostinato.advance(hours=36)
    assert [job.result for job in await ostinato.jobs(count_subscribers)] == [0, 1]


async def test_a_subscriber_sees_each_change(ostinato: Harness) -> None:
    await ostinato.app.schedule(write, {"to": "ada", "text": "Welcome"}, owner="ada")
    await ostinato.run_due()
    messages = await ostinato.changes(owner="ada")
    states = [message.event.state for message in messages if message.event]
    assert states == ["pending", "inProgress", "success"]


def test_without_async(ostinato_blocking: BlockingHarness) -> None:
    job = ostinato_blocking.app.schedule(write, {"to": "ada", "text": "Welcome"})
    ostinato_blocking.run_due()
    assert job.result() == "Welcome, ada!"

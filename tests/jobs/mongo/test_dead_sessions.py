"""Killing a dead worker's transactions releases their locks at once."""

from pymongo import AsyncMongoClient

from ostinato.jobs.mongo.client import Mongo
from ostinato.jobs.mongo.sessions import worker_app_name
from ostinato.jobs.settings import Settings


async def test_locks_of_a_dead_worker_are_released_at_once(settings: Settings) -> None:
    mongo = Mongo.connect(settings, worker_app_name("finder"))
    async with AsyncMongoClient[dict[str, int]](
        settings.mongo_url, appname=worker_app_name("lost")
    ) as lost:
        things = lost[settings.database]["things"]
        await things.insert_one({"_id": 1, "n": 0})
        async with lost.start_session() as session, await session.start_transaction():
            await things.update_one({"_id": 1}, {"$set": {"n": 1}}, session=session)
            assert await mongo.sessions.kill_transactions("another") == 0
            assert await mongo.sessions.kill_transactions("lost") == 1
            await things.update_one({"_id": 1}, {"$set": {"n": 2}})
            await session.abort_transaction()
        assert await things.find_one({"_id": 1}) == {"_id": 1, "n": 2}
    mongo.close()

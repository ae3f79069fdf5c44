"""A dump of a run shows the database at a single moment."""

from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from benchmarks.chaos import dump
from benchmarks.chaos.ledger import EFFECTS
from ostinato.jobs.settings import Settings


class Interrupter(CommandListener):
    """Adds an effect as soon as the first collection has been read."""

    def __init__(self, url: str, database: str) -> None:
        self._url = url
        self._database = database
        self._has_added = False

    def started(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...

    def succeeded(self, event: Any) -> None:
        if event.command_name == "find" and not self._has_added:
            self._has_added = True
            with MongoClient[dict[str, Any]](self._url) as mongo:
                mongo[self._database][EFFECTS].insert_one({"_id": "late", "job": "a job"})


def test_dump_excludes_writes_made_during_the_dump(settings: Settings, tmp_path: Path) -> None:
    url, name = settings.mongo_url, f"{settings.database}-dump"
    with MongoClient[dict[str, Any]](url, event_listeners=[Interrupter(url, name)]) as mongo:
        database = mongo[name]
        database["jobs"].insert_one({"_id": "a job"})
        database[EFFECTS].insert_one({"_id": "early", "job": "a job"})
        dump.write(mongo, tmp_path / "database.jsonl", name)
        found = dump.read((tmp_path / "database.jsonl").read_text().splitlines())
        mongo.drop_database(name)
    assert [effect["_id"] for effect in found[EFFECTS]] == ["early"]

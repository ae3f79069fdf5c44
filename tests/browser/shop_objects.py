"""Documents of a shop besides its jobs and crons: batches, requests, alerts, workers and others."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tests.browser.shop_jobs import OWNER, WORKERS, Document, ShopJobs
from tests.malformed import valid_document

FAILING_CRON: Final = (
    "The last 3 runs of the cron 'newsletter' have failed: read their errors and logs"
)
FAILING_FUNCTION: Final = (
    "At least 5 jobs of 'reports.dailySales' have failed in the last 15 minutes, and none has "
    "succeeded: read their errors and logs"
)
UNSERVED_QUEUE: Final = (
    "Jobs are due in the queue 'reports', and no running worker takes jobs from it: start a worker "
    "with 'reports' in its OSTINATO_QUEUES"
)


@dataclass(frozen=True, slots=True)
class ShopObjects:
    """The objects of a shop, at the time of its jobs."""

    jobs: ShopJobs
    failing_cron: str

    def documents(self) -> dict[str, list[Document]]:
        """Return the documents by collection."""
        return {
            "taskConfigs": self._tasks(),
            "batches": self._batches(),
            "requests": self._requests(),
            "alerts": self._alerts(),
            "queues": [
                {"_id": "default", "weight": 3, "version": 1},
                {"_id": "exports", "paused": True, "weight": 1, "version": 2},
            ],
            "workers": [self._worker(number, name) for number, name in enumerate(WORKERS)],
        }

    def _ago(self, **age: float) -> datetime:
        return self.jobs.now - timedelta(**age)

    def _ahead(self, **delay: float) -> datetime:
        return self.jobs.now + timedelta(**delay)

    def _of(self, collection: str, at: datetime, **fields: Any) -> Document:
        return valid_document(collection, OWNER) | {"_id": self.jobs.ids.at(at)} | fields

    def _tasks(self) -> list[Document]:
        def task(name: str, function: str, **fields: Any) -> Document:
            base = {"taskId": name, "functionName": function}
            return self._of("taskConfigs", self._ago(days=9), **base, **fields)

        return [
            task(
                "carrier-status", "orders.syncStock", intervalMs=3_600_000, runCount=12_840,
                lastRunTime=self._ago(seconds=2), nextRunTime=self._ahead(minutes=58),
                lastLatenessMs=12,
            ),
            task(
                "exchange-rates", "orders.syncStock", intervalMs=900_000, runCount=861,
                lastRunTime=self._ago(minutes=6), nextRunTime=self._ahead(minutes=9),
                lastLatenessMs=31, skippedTicks=2,
            ),
            task(
                "warm-up-cache", "reports.dailySales", intervalMs=300_000, runCount=96,
                lastRunTime=self._ago(days=2), nextRunTime=None, lastLatenessMs=8, enabled=False,
            ),
        ]  # fmt: skip

    def _batches(self) -> list[Document]:
        def batch(at: datetime, source: str, state: str, **fields: Any) -> Document:
            return self._of("batches", at, source=source, state=state, createdAt=at, **fields)

        return [
            batch(
                self._ago(minutes=14), "customers", "running", total=48_000, processed=31_200,
                failed=4, batchSize=200, busyMs=240_000, nextPageTime=self._ahead(seconds=2),
            ),
            batch(
                self._ago(hours=3), "orders", "paused", total=9_600, processed=2_400,
                batchSize=100, busyMs=60_000,
            ),
            batch(
                self._ago(days=1), "invoices", "done", total=12_500, processed=12_500,
                busyMs=800_000, completedAt=self._ago(hours=23),
            ),
            batch(
                self._ago(days=2, hours=1), "articles", "failed", total=5_000, processed=1_900,
                failed=12, busyMs=90_000, completedAt=self._ago(days=2),
            ),
        ]  # fmt: skip

    def _requests(self) -> list[Document]:
        def request(at: datetime, state: str, data: Document, **fields: Any) -> Document:
            return self._of("requests", at, state=state, data=data, createdAt=at, **fields)

        above = {"name": "Rejected", "message": "above the limit, ask the manager"}
        return [
            request(
                self._ago(minutes=3), "pending",
                {"refund": "A-10311", "amountCents": 4_990, "reason": "damaged"},
                timeoutAt=self._ahead(minutes=57),
            ),
            request(
                self._ago(minutes=20), "pending", {"discount": "SPRING-20", "percent": 20},
                timeoutAt=self._ahead(hours=3),
            ),
            request(
                self._ago(hours=2), "completed", {"refund": "A-10288", "amountCents": 1_250},
                result={"approved": True}, completedAt=self._ago(hours=1), answeredBy="ada",
            ),
            request(
                self._ago(hours=5), "failed", {"refund": "A-10190", "amountCents": 89_000},
                error=above, completedAt=self._ago(hours=4), answeredBy="grace",
            ),
            request(
                self._ago(days=1), "timeout", {"discount": "XMAS", "percent": 60},
                timeoutAt=self._ago(hours=20), completedAt=self._ago(hours=20),
            ),
        ]  # fmt: skip

    def _alerts(self) -> list[Document]:
        def alert(at: datetime, kind: str, subject: str, **fields: Any) -> Document:
            return self._of("alerts", at, kind=kind, subject=subject, openedAt=at, **fields)

        acknowledged = {"acknowledgedAt": self._ago(minutes=40), "acknowledgedBy": "ada"}
        return [
            alert(
                self._ago(minutes=12), "cronFailing", self.failing_cron, state="open",
                message=FAILING_CRON,
            ),
            alert(
                self._ago(minutes=48), "functionFailing", "reports.dailySales",
                state="acknowledged", message=FAILING_FUNCTION, **acknowledged,
            ),
            alert(
                self._ago(hours=6), "queueNotServed", "reports", state="resolved",
                message=UNSERVED_QUEUE, resolvedAt=self._ago(hours=5),
            ),
        ]  # fmt: skip

    def _worker(self, number: int, name: str) -> Document:
        running = self.jobs.running_on(name)
        return {
            "_id": name,
            "host": f"shop-{name}",
            "pid": 4_100 + 7 * number,
            "version": "0.1.0",
            "queues": ["default", "mail"] if number else ["default", "mail", "reports"],
            "concurrency": 20,
            "running": len(running),
            "loopLagMs": 2 + number,
            "jobIds": running,
            "startedAt": self._ago(hours=30 - number),
            "heardAt": self.jobs.now,
        }

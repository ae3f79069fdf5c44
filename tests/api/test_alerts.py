"""Alerts in the API: who sees, acknowledges and resolves them, and live changes."""

from typing import Any, Final

from ostinato.jobs.alerts import AlertState, Condition
from ostinato.resolvers.live.messages import ChangeKind, SubscribeOptions
from ostinato.resolvers.live.subscription_sources import alerts_changed
from ostinato.schema.ids import document_id
from tests.api import operations as op
from tests.api.conftest import Client
from tests.api.documents import Documents
from tests.live.reading import Client as Reader

ALERTS: Final = """query ($filter: AlertFilter) { alerts(filter: $filter) {
  nodes { kind state message queue functionName owner cron { name } job { id } } } }"""
ACKNOWLEDGE: Final = op.mutation(
    "acknowledgeAlert", "AlertIdInput", "alert { state acknowledgedBy }"
)
RESOLVE: Final = op.mutation("resolveAlert", "AlertIdInput", "alert { state resolvedBy }")


async def seen(client: Client, **filter_: Any) -> list[str]:
    page = await client.get(ALERTS, filter=filter_)
    return [node["kind"] for node in page["nodes"]]


async def test_owners_see_the_alerts_of_their_crons_and_jobs_and_admins_all(
    ann: Client, bob: Client, admin: Client, documents: Documents
) -> None:
    cron = await documents.cron(name="nightly")
    await documents.alert(subject=document_id(cron, "Cron"))
    await documents.alert(None, kind="queueNotServed", subject="mail", state="resolved")
    await documents.alert(None, kind="functionFailing", subject="mail.send")
    assert [await seen(client) for client in (ann, bob)] == [["CRON_LATE"], []]
    assert await seen(admin) == ["FUNCTION_FAILING", "QUEUE_NOT_SERVED", "CRON_LATE"]
    assert await seen(admin, states=["RESOLVED"]) == ["QUEUE_NOT_SERVED"]
    assert await seen(admin, kinds=["CRON_LATE", "NO_WORKER"]) == ["CRON_LATE"]
    failing, unserved, late = (await admin.get(ALERTS))["nodes"]
    assert (failing["functionName"], failing["queue"], failing["cron"]) == ("mail.send", None, None)
    assert (unserved["queue"], unserved["functionName"]) == ("mail", None)
    assert (late["cron"], late["job"], late["owner"]) == ({"name": "nightly"}, None, "ann")


async def test_an_alert_is_acknowledged_and_resolved_once(
    ann: Client, bob: Client, documents: Documents
) -> None:
    given = {"alertId": await documents.alert()}
    assert (await bob(ACKNOWLEDGE, input=given)).code == "NOT_FOUND"
    acknowledged = await ann.get(ACKNOWLEDGE, input=given)
    assert acknowledged["alert"] == {"state": "ACKNOWLEDGED", "acknowledgedBy": "ann"}
    again = await ann(ACKNOWLEDGE, input=given)
    assert (again.code, again.message) == (
        "PRECONDITION_FAILED", "the alert is acknowledged: it cannot be acknowledged",
    )  # fmt: skip
    resolved = await ann.get(RESOLVE, input=given)
    assert resolved["alert"] == {"state": "RESOLVED", "resolvedBy": "ann"}
    assert (await ann(RESOLVE, input=given)).code == "PRECONDITION_FAILED"


async def open_and_end(client: Client) -> list[str]:
    """Open an alert without an owner and one of bob, end this one, and return their ids."""
    alerts = client.context.engine.alerts
    cron = {"_id": "0" * 24, "owner": "bob", "name": "n"}
    conditions = Condition.queue_not_served("mail"), Condition.cron_failing(cron, 3)
    opened = [await alerts.open(condition) for condition in conditions]
    ids = [alert.id for alert in opened if alert is not None]
    await alerts.end(ids[1])
    return ids


async def test_changes_of_alerts_are_followed_by_those_who_see_them(
    admin: Client, bob: Client
) -> None:
    options = SubscribeOptions(snapshot=True)
    async with (
        Reader(alerts_changed(admin.context, None, options)) as all_alerts,
        Reader(alerts_changed(bob.context, None, options)) as of_bob,
    ):
        await all_alerts.ready()
        await of_bob.ready()
        first, second = await open_and_end(admin)
        assert [message.id for message in await all_alerts.take(3)] == [first, second, second]
        changes = await of_bob.take(2)
    states = [(message.id, message.record and message.record.state) for message in changes]
    assert states[-1] == (second, "resolved")


async def test_an_alert_leaves_a_subscription_to_some_states_once(
    admin: Client, documents: Documents
) -> None:
    alerts, states = admin.context.engine.alerts, (AlertState.OPEN,)
    known = document_id(await documents.alert(subject="news"), "Alert")
    await documents.alert(subject="print", state="resolved")
    query = alerts_changed(admin.context, states, SubscribeOptions(snapshot=True))
    async with Reader(query) as reader:
        rows = await reader.until(ChangeKind.READY)
        opened = await alerts.open(Condition.queue_not_served("mail"))
        assert opened is not None
        await alerts.acknowledge(opened.id, None, "ada")
        await alerts.end(opened.id)
        await alerts.resolve(known, None, "ada")
        changes = [(change.id, change.kind) for change in await reader.take(3)]
    assert [row.id for row in rows[:-1]] == [known]
    left = [(each, ChangeKind.LEFT) for each in (opened.id, known)]
    assert changes == [(opened.id, ChangeKind.CHANGED), *left]


async def test_malformed_alerts_are_left_out(admin: Client, documents: Documents) -> None:
    await documents.alert(kind="unheardOf")
    await documents.alert(openedAt="yesterday")
    await documents.alert()
    assert await seen(admin) == ["CRON_LATE"]

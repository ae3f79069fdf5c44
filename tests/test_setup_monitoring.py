"""The dashboard and the alert rules in deploy/ name only metrics and labels that exist."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from ostinato.jobs.settings import Settings
from tests.live.scraping import TOKEN, Scraper
from tests.processes import ROOT, Processes, eventually

SCHEDULE = (
    'mutation { scheduleJob(input: {functionName: "tasks.runTask", args: {name: "a"}}) { jobId } }'
)
SUCCEEDED = 'job_transitions_total{state="success"}'
RUN = 'function_runs_total{function="tasks.runTask"}'
ADDED_BY_PROMETHEUS = {"job", "instance", "le"}
DASHBOARD = json.loads((ROOT / "deploy/grafana/ostinato.json").read_text())
(GROUP,) = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule["expr"] for rule in GROUP["rules"]}
TARGETS = {
    f"{panel['title']} {target['refId']}": target["expr"].replace("$function", "shop.send")
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
EXPRESSIONS = {**RULES, **TARGETS}


def selectors_of(node: object) -> Iterator[Any]:
    """Yield the selectors of series in a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
        child = getattr(node, name, None)
        for each in child if isinstance(child, list) else [child]:
            if each is not None:
                yield from selectors_of(each)


def labels_of(expression: str) -> set[str]:
    """Return the labels by which an expression selects or groups."""
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    return {*matched, *(name.strip() for names in grouped for name in names.split(","))}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_are_valid_promql(name: str) -> None:
    assert list(selectors_of(promql_parser.parse(EXPRESSIONS[name])))


async def test_expressions_use_metrics_and_labels_that_running_processes_export(
    processes: Processes, settings: Settings
) -> None:
    api = await processes.api(metrics_token=SecretStr(TOKEN))
    worker = processes.worker()
    scraper = Scraper(url=api.url, settings=settings)
    await scraper.execute(SCHEDULE)
    await eventually(lambda: scraper.metric(SUCCEEDED), within=60)
    await worker.stop()  # it stores its counts
    await eventually(lambda: scraper.metric(RUN), within=60)
    families = text_string_to_metric_families((await scraper.get()).text)
    samples = [sample for family in families for sample in family.samples]
    parsed = [promql_parser.parse(expression) for expression in EXPRESSIONS.values()]
    used = {selector.name for node in parsed for selector in selectors_of(node)}
    assert used <= {sample.name for sample in samples}
    labels = set().union(*map(labels_of, EXPRESSIONS.values()))
    assert labels <= {name for sample in samples for name in sample.labels} | ADDED_BY_PROMETHEUS


def test_each_alert_and_panel_has_a_description() -> None:
    assert [rule for rule in GROUP["rules"] if not rule["annotations"]["summary"]] == []
    assert {rule["labels"]["severity"] for rule in GROUP["rules"]} == {"warning", "critical"}
    assert [panel for panel in DASHBOARD["panels"] if not panel["description"]] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_page_about_operating_lists_the_alerts() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    listed = re.findall(r"^\| `(Ostinato\w+)` \|", page, re.MULTILINE)
    assert listed == list(RULES)

"""Draws results.json as docs/benchmarks.svg, and writes the table of targets and the README's part.

Runs in the peers' environment, which has pygal: it imports nothing of the product.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pygal  # type: ignore[import-not-found]  # only in the peers' environment
from pygal.style import Style  # type: ignore[import-not-found]  # only in the peers' environment

from benchmarks.page import RESULTS, write
from benchmarks.results import Part, Results, read
from benchmarks.targets import TARGETS, targets_table

ROOT: Final = Path(__file__).parent.parent
IMAGE: Final = ROOT / "docs" / "benchmarks.svg"
README: Final = ROOT / "README.md"
TARGET_MARKS: Final = (
    "<!-- targets: written by `make bench-report` -->",
    "<!-- end of targets -->",
)
README_MARKS: Final = (
    "<!-- benchmarks: written by `make bench-report` -->",
    "<!-- end of benchmarks -->",
)
SVG: Final = "http://www.w3.org/2000/svg"
COLUMNS: Final = 2
WIDTH: Final = 520
ROW_HEIGHT: Final = 26
HEAD_HEIGHT: Final = 76
OURS_COLOR: Final = "#2f7ed8"
PEER_COLOR: Final = "#9aa4b1"
DARK: Final = (
    "inline:@media (prefers-color-scheme: dark) { text, .title { fill: #d7dce2 !important } }"
)
NO_GUIDES: Final = "inline:.guide.line { display: none }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    title: str
    part: str
    metric: str
    base: str
    """The system whose bar is 1."""
    case: str = ""
    is_cost: bool = False

    @property
    def heading(self) -> str:
        return f"{self.title}: less is better" if self.is_cost else self.title


CHARTS: Final = (
    Chart(
        title="No-op jobs drained per second, one worker",
        part="drain",
        metric="jobs/s",
        case="1 worker",
        base="Ostinato, actions",
    ),
    Chart(
        title="Processor time of the worker per job",
        part="drain",
        metric="worker, ms per job",
        case="1 worker",
        base="Ostinato, actions",
        is_cost=True,
    ),
    Chart(
        title="Jobs scheduled in bulk per second",
        part="bulk",
        metric="jobs/s",
        base="Ostinato, schedule_many",
    ),
    Chart(
        title="From due to started, p99",
        part="latency",
        metric="p99, ms",
        case="quiet",
        base="Ostinato, actions",
        is_cost=True,
    ),
    Chart(
        title="Until jobs run again after kill -9",
        part="rescue",
        metric="s until all run again",
        base="Ostinato, actions",
        is_cost=True,
    ),
    Chart(
        title="Mutations over HTTP per second, each with an insert",
        part="requests",
        metric="requests/s",
        base="Ostinato, GraphQL scheduleJob",
    ),
    Chart(
        title="Deliveries per second, one event to 1,000 sockets",
        part="sockets",
        metric="deliveries/s",
        case="1,000 sockets",
        base="Ostinato",
    ),
    Chart(
        title="Changes of jobs followed per second",
        part="followed",
        metric="changes/s",
        base="Ostinato's change feed, no subscribers: kept as BSON",
    ),
)


def ratios(chart: Chart, results: Results) -> dict[str, float]:
    """Divide each system's figure by that of the chart's base, best first; empty without one."""
    found = results.values(chart.part, chart.metric, chart.case)
    base = found.get(chart.base, 0.0)
    ordered = sorted(found.items(), key=lambda item: item[1], reverse=not chart.is_cost)
    return {system: value / base for system, value in ordered} if base else {}


def draw(chart: Chart, values: dict[str, float]) -> ET.Element:
    """Draw one bar for each system."""
    height = HEAD_HEIGHT + ROW_HEIGHT * len(values)
    bars = pygal.HorizontalBar(
        css=["file://style.css", "file://graph.css", DARK, NO_GUIDES],
        disable_xml_declaration=True,
        explicit_size=True,
        height=height,
        js=[],
        no_prefix=True,
        print_values=True,
        print_values_position="top",
        show_legend=False,
        show_x_labels=False,
        style=STYLE,
        title=chart.heading,
        truncate_label=-1,
        value_formatter="{:.2f} x".format,
        width=WIDTH,
        x_labels=list(reversed(values)),
    )
    bars.add("", [_bar(system, values[system]) for system in reversed(values)])
    drawn: ET.Element = ET.fromstring(bars.render())  # noqa: S314 - our own drawing
    return drawn


def _bar(system: str, value: float) -> dict[str, Any]:
    return {"value": value, "color": OURS_COLOR if "Ostinato" in system else PEER_COLOR}


STYLE: Final = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#3b4249",
    foreground_strong="#3b4249",
    foreground_subtle="#c4cad1",
    font_family="system-ui, sans-serif",
    label_font_size=11,
    major_label_font_size=11,
    value_font_size=11,
    title_font_size=14,
)


def arrange(drawn: Sequence[ET.Element]) -> ET.Element:
    """Place the charts in two columns."""
    root = ET.Element(f"{{{SVG}}}svg")
    tops = [0.0] * COLUMNS
    for element in drawn:
        column = tops.index(min(tops))
        element.set("x", str(column * WIDTH))
        element.set("y", str(tops[column]))
        tops[column] += float(element.get("height", "0"))
        root.append(element)
    root.set("viewBox", f"0 0 {COLUMNS * WIDTH} {max(tops):.0f}")
    return root


def caption(parts: Mapping[str, Part]) -> str:
    """Say what the image shows, and on which machines it was measured."""
    machines = {
        f"{part.run.machine['cores']} cores of an {part.run.machine['processor']}, "
        f"{part.run.measured_at}"
        for part in parts.values()
    }
    return (
        "![Ostinato beside its peers: each bar divided by Ostinato's](docs/benchmarks.svg)\n\n"
        "Each bar is the figure of a system, divided by Ostinato's in the same run "
        f"({'; '.join(sorted(machines))}). "
        "[All figures, how they were measured, and what each system stores]"
        "(benchmarks/RESULTS.md)."
    )


def main() -> None:
    results = read()
    write([targets_table(TARGETS, results)], RESULTS, TARGET_MARKS)
    shown = {chart: ratios(chart, results) for chart in CHARTS}
    drawn = [draw(chart, values) for chart, values in shown.items() if values]
    if not drawn:
        print(f"The targets are in {RESULTS}. No chart: run `make bench` and `make bench-live`.")
        return
    ET.register_namespace("", SVG)
    IMAGE.write_text(ET.tostring(arrange(drawn), encoding="unicode"))
    used = {chart.part: results.parts[chart.part] for chart, values in shown.items() if values}
    is_real = not any(part.run.is_quick for part in used.values())
    write([caption(used)] if is_real else [], README, README_MARKS)
    print(f"Written to {IMAGE}, {RESULTS}{f' and {README}' if is_real else ''}")


if __name__ == "__main__":
    main()

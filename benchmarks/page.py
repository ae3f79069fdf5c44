"""Writes into a page between two marks, and keeps the text around them."""

from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
START: Final = "<!-- figures: written by `make bench` -->"
END: Final = "<!-- end of figures -->"
LIVE: Final = (
    "<!-- live figures: written by `make bench-live` -->",
    "<!-- end of live figures -->",
)
EMPTY: Final = f"""# Ostinato beside its peers

{START}
{END}

# Live, beside its peers

{LIVE[0]}
{LIVE[1]}
"""


def write(sections: list[str], path: Path = RESULTS, marks: tuple[str, str] = (START, END)) -> None:
    """Replace the text between the marks."""
    start, end = marks
    text = path.read_text() if path.exists() else EMPTY
    before, found, rest = text.partition(start)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(
            f"{path} has no marks {start!r} and {end!r}: add them where the results belong"
        )
    body = "\n\n".join(sections)
    path.write_text(f"{before}{start}\n\n{body}\n\n{end}{after}")

"""Tags: short texts with which a client marks jobs and crons. No I/O."""

from typing import Final

from ostinato.jobs.declarations import shown
from ostinato.jobs.errors import BadRequest, Issue
from ostinato.jobs.json_values import find_text_problem

MAX_TAGS: Final = 10
MAX_TAG_CHARS: Final = 64  # every event of a job repeats its tags


def parse_tags(given: object) -> tuple[str, ...]:
    """Return tags as plain text, each once, in the given order; raises BadRequest at `tags`."""
    if not isinstance(given, list | tuple | set | frozenset):
        raise _bad(f"tags must be a list of texts, got {shown(given)}")
    if len(given) > MAX_TAGS:
        raise _bad(f"tags must be at most {MAX_TAGS}, got {len(given)}")
    tags = sorted(map(_plain, given)) if isinstance(given, set | frozenset) else map(_plain, given)
    return tuple(dict.fromkeys(tags))


def tags_problem(name: str, value: object) -> str | None:
    """Return the problem of the option `name` of a decorator; None if there is none."""
    try:
        parse_tags(value)
    except BadRequest as error:
        return f"{name}{str(error).removeprefix('tags')}"
    return None


def _plain(tag: object) -> str:
    if not isinstance(tag, str) or not 1 <= len(tag) <= MAX_TAG_CHARS:
        problem = f"must be texts of 1 to {MAX_TAG_CHARS} characters, got {shown(tag)}"
    elif found := find_text_problem(tag):
        problem = f"must be storable texts: {shown(tag)} {found.message}"
    else:
        return str.__str__(tag)
    raise _bad(f"tags {problem}")


def _bad(message: str) -> BadRequest:
    return BadRequest(message, [Issue(path=("tags",), message=message, code="invalid_tags")])

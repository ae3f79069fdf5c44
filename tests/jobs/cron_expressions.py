"""Hypothesis strategies: cron expressions with every form of the grammar, and days to test."""

from hypothesis import strategies as st

Text = st.SearchStrategy[str]


def value(low: int, high: int, names: tuple[str, ...] = ()) -> Text:
    """Return a number, sometimes with a leading zero, or a name in any case."""
    numbers = st.integers(low, high).map(str)
    if not names:
        return numbers | st.integers(low, high).map("{:02}".format)
    return numbers | st.sampled_from(names) | st.sampled_from([each.upper() for each in names])


def span(values: Text) -> Text:
    """Return a range, which may be of one value, or wrap around the end of the field."""
    return st.tuples(values, values).map("-".join) | values.map(lambda one: f"{one}-{one}")


def items(values: Text, size: int) -> Text:
    """Return a value, a range, or either with a step."""
    steps = st.integers(1, size).map("/{}".format)
    ranges = span(values)
    stepped = st.tuples(st.just("*") | values | ranges, steps).map("".join)
    return values | values | ranges | stepped


def field(values: Text, size: int, *more: Text) -> Text:
    """Return `*`, a step of all values, or a list of items."""
    item = st.one_of(items(values, size), *more)
    star = st.just("*") | st.integers(1, size).map("*/{}".format)
    return star | st.lists(item, min_size=1, max_size=3).map(",".join)


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
DAY = value(1, 31)
WEEKDAY = value(0, 7, WEEKDAYS)

MINUTE_FIELD = field(value(0, 59), 60)
HOUR_FIELD = field(value(0, 23), 24)
DAY_FIELD = field(
    DAY, 31, st.just("L"), DAY.map("{}W".format), DAY.map("W{}".format), DAY.map("{}-L".format)
)
MONTH_FIELD = st.just("*") | field(value(1, 12, MONTHS), 12)
WEEKDAY_FIELD = field(
    WEEKDAY,
    7,
    st.integers(0, 7).map("L{}".format),
    st.tuples(WEEKDAY | span(WEEKDAY), st.sampled_from("12345")).map("#".join),
)
FIVE_FIELDS = st.tuples(MINUTE_FIELD, HOUR_FIELD, DAY_FIELD, MONTH_FIELD, WEEKDAY_FIELD)
SHORTHAND = st.sampled_from(["@hourly", "@Daily", "@midnight", "@weekly", "@MONTHLY", "@yearly"])
MINUTELY = FIVE_FIELDS.map(" ".join) | FIVE_FIELDS.map("\t ".join) | SHORTHAND
"""Expressions without seconds."""
SECONDLY = st.tuples(field(value(0, 59), 60), FIVE_FIELDS.map(" ".join)).map(" ".join)
"""Expressions with seconds."""
COMMON_DAYS = st.tuples(MINUTE_FIELD, HOUR_FIELD).map(" ".join).map("{} * * *".format)
"""Expressions that match on every day, so on the day of a clock change."""

CLOCK_CHANGES = st.sampled_from(
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("America/Santiago", "2026-04-05"),
        ("America/Santiago", "2026-09-06"),
        ("Africa/Casablanca", "2026-02-15"),
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Apia", "2020-04-05"),
        ("America/St_Johns", "2006-10-29"),
        ("Asia/Kolkata", "2026-02-28"),
        ("UTC", "2028-02-29"),
    ]
)
"""Zones and days with a change: an hour, half an hour, at or across midnight, a whole day, none."""

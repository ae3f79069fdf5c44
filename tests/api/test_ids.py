"""Global ids: encoding and decoding."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ostinato.jobs.errors import BadRequest
from ostinato.jobs.ids import new_id
from ostinato.schema.ids import argument_id, document_id, global_id, parse_global_id

NAMES = st.sampled_from(["Job", "Cron", "RecurringTask", "Batch", "Request", "Failure", "Item"])


@given(NAMES, st.text(alphabet="0123456789abcdef", min_size=24, max_size=24))
def test_a_global_id_contains_type_and_document_id(type_name: str, identifier: str) -> None:
    assert parse_global_id(global_id(type_name, identifier)) == (type_name, identifier)


@given(st.text(max_size=120))
@example("Sm9iOg")
@example("Sm9iOmFiYw==")
@example("\ud800")
@example("é" * 20)
def test_other_text_is_not_an_id(text: str) -> None:
    with pytest.raises(ValueError, match="id"):
        parse_global_id(text)


def test_an_object_has_only_one_id() -> None:
    written = global_id("Job", "a" * 24)
    for variant in (f"{written}=", f"{written}==", f" {written}", f"{written}\n"):
        with pytest.raises(ValueError, match="not an id"):
            parse_global_id(variant)


def test_the_error_for_an_id_of_another_type_names_both_types() -> None:
    with pytest.raises(ValueError, match="must be the id of a Cron, got the id of a Job"):
        document_id(global_id("Job", new_id()), "Cron")


def test_the_error_for_an_invalid_id_names_the_argument() -> None:
    with pytest.raises(BadRequest, match="jobId must be the id of a Job") as caught:
        argument_id("nonsense", "Job", "jobId")
    assert caught.value.issues[0].path == ("jobId",)

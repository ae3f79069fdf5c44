"""The API that `ostinato dev` starts for trying out retries."""

from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from ostinato.jobs.embedded.flaky_api import CallCounter, serving_flaky_api


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_flaky_api() as url:
        yield url


def test_flaky_api_fails_the_requested_number_of_times_per_key(url: str) -> None:
    codes = [httpx.get(url, params={"key": key, "failures": "1"}).status_code for key in "aabb"]
    assert codes == [503, 200, 503, 200]
    third = httpx.get(url, params={"key": "a", "failures": "1"})
    assert third.json() == {"key": "a", "call": 3, "ok": True}


@pytest.mark.parametrize("query", ["failures=-1", f"failures={'9' * 5_000}", f"key={'x' * 129}"])
def test_flaky_api_rejects_values_beyond_its_limits(url: str, query: str) -> None:
    response = httpx.get(f"{url}?{query}")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert response.json() == {"error": "key: at most 128 characters; failures: 0 to 999"}


def test_flaky_api_has_no_other_resource(url: str) -> None:
    for path in ("/", "/config.json", "/graphql"):
        assert httpx.get(httpx.URL(url).join(path)).status_code == HTTPStatus.NOT_FOUND


def test_flaky_api_stores_a_limited_number_of_keys() -> None:
    calls = CallCounter(max_keys=2)
    counts = [calls.count(key) for key in ("a", "b", "a", "c", "a", "b")]
    assert counts == [1, 1, 2, 1, 3, 1]

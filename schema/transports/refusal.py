"""The answer to a request that is not executed because of how it was sent."""

from collections.abc import Mapping
from http import HTTPStatus

from ostinato.schema.errors import FormattedError


class Refused(Exception):
    """Ends the handling of an HTTP request with a status and one error."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str = "BAD_REQUEST",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    @property
    def errors(self) -> list[FormattedError]:
        return [{"message": str(self), "extensions": {"code": self.code}}]

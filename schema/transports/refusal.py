"""The error response to an HTTP request that is not executed."""

from collections.abc import Mapping
from http import HTTPStatus

from ostinato.schema.errors import FormattedError


class HttpError(Exception):
    """Ends the handling of an HTTP request with a status and one GraphQL error."""

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

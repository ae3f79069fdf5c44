"""Cache of parsed and validated documents."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from strawberry import Schema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from ostinato.jobs.async_tools.cpu_thread import run_in_cpu_thread
from ostinato.jobs.errors import OstinatoError
from ostinato.schema.errors import (
    PARSE_FAILED,
    VALIDATION_FAILED,
    FormattedError,
    format_document_errors,
    format_exception,
)
from ostinato.schema.execution.document_limits import (
    DocumentLimits,
    LimitExceeded,
    check_cost,
    check_limits,
)
from ostinato.schema.execution.fingerprint import OperationFingerprint
from ostinato.schema.execution.persisted import Extensions, PersistedDocuments
from ostinato.schema.execution.prepared_operation import PreparedOperation
from ostinato.schema.execution.strawberry_internals import core_schema

STRAWBERRY_RULES = (MaybeNullValidationRule, OneOfInputValidationRule)  # required by Strawberry
MAX_CACHE_CHARS = 1_048_576  # a parsed document uses about 50 times the memory of its text
MAX_INLINE_CHARS = 1_000  # parsed and validated within about 10 ms
MAX_ERRORS = 20  # per document: a suggestion for a misspelled field takes 0.2 ms


class RequestRejected(Exception):
    """A request that is not executed; the client receives `errors`."""

    def __init__(self, errors: list[FormattedError]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDocument:
    """A valid document, with the cached data of its operations."""

    document: DocumentNode
    source_chars: int
    """Length of its text, the measure of the cache."""
    cost: int | None
    """The cost of the most expensive operation; None if it depends on the variables."""
    operations: Mapping[str | None, OperationType]
    """Operation type by name; the key None is the document's only operation."""
    fingerprints: dict[tuple[str | None, frozenset[str]], OperationFingerprint] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Fingerprints of subscriptions, by operation name and excluded arguments."""
    prepared_operations: dict[str | None, PreparedOperation] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Prepared operations by name, added at the first execution."""


class DocumentCache:
    """Parses, validates and caches documents of one schema (LRU)."""

    def __init__(
        self,
        schema: Schema,
        limits: DocumentLimits,
        *,
        introspection: bool,
        allowed: Mapping[str, str] | None = None,
    ) -> None:
        """Accept only the `allowed` documents, if given; raises ValueError for an invalid one."""
        self._schema = schema
        self._limits = limits
        introspection_rules = () if introspection else (NoSchemaIntrospectionCustomRule,)
        self._rules = (*specified_rules, *STRAWBERRY_RULES, *introspection_rules)
        self._hide_suggestions = not introspection
        self._cache: LRUCache[str, PreparedDocument] = LRUCache(
            MAX_CACHE_CHARS, getsizeof=lambda prepared: prepared.source_chars
        )
        self._persisted = PersistedDocuments(allowed)
        for name, source in (allowed or {}).items():
            self._require_valid(name, source)

    async def prepare(
        self,
        source: str,
        extensions: Extensions | None = None,
        user: str | None = None,
        within_s: float | None = None,
    ) -> PreparedDocument:
        """Return the valid document for a text or its hash; raises RequestRejected.

        Long documents of different users are prepared in turns; raises TimeoutError if that takes
        longer than `within_s`.
        """
        try:
            source = self._persisted.resolve(source, extensions)
        except OstinatoError as error:
            raise RequestRejected([format_exception(error)]) from None
        prepared = self._cache.get(source)
        if prepared is None:
            is_short = len(source) <= MAX_INLINE_CHARS
            prepare = partial(self._prepare, source)
            async with asyncio.timeout(within_s):
                prepared = prepare() if is_short else await run_in_cpu_thread(user, prepare)
            if len(source) <= MAX_CACHE_CHARS:
                self._cache[source] = prepared
        self._persisted.store(source, extensions)
        return prepared

    def _require_valid(self, name: str, source: str) -> None:
        try:
            self._prepare(source)
        except RequestRejected as rejected:
            raise ValueError(
                f"OSTINATO_OPERATIONS_FILE: the operation {name} is invalid: {rejected}"
            ) from None

    def _prepare(self, source: str) -> PreparedDocument:
        try:
            document = parse(source, max_tokens=self._limits.tokens)
        except GraphQLError as error:
            raise _rejected([error], PARSE_FAILED) from None
        except RecursionError:
            raise _rejected([_too_deep()], PARSE_FAILED) from None
        try:
            cost = check_limits(document, self._limits)
            errors = self._validate(document)
        except LimitExceeded as error:
            errors = [error]
        except RecursionError:
            errors = [_too_deep()]
        if errors:
            raise _rejected(errors, VALIDATION_FAILED)
        return PreparedDocument(
            document=document,
            source_chars=len(source),
            cost=cost,
            operations=_operations_of(document),
        )

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        return validate(
            core_schema(self._schema),
            document,
            self._rules,
            max_errors=MAX_ERRORS,
            hide_suggestions=self._hide_suggestions,
        )

    def cost_of(
        self, prepared: PreparedDocument, name: str | None, variables: Mapping[str, object]
    ) -> int:
        """Return the cost of an operation with these variables; raises RequestRejected."""
        if prepared.cost is not None:
            return prepared.cost
        try:
            return check_cost(prepared.document, name, variables, self._limits)
        except LimitExceeded as error:
            raise _rejected([error], VALIDATION_FAILED) from None


def _too_deep() -> GraphQLError:
    return GraphQLError("the document is nested too deeply")


def _rejected(errors: list[GraphQLError], code: str) -> RequestRejected:
    return RequestRejected(format_document_errors(errors, code))


def _operations_of(document: DocumentNode) -> dict[str | None, OperationType]:
    nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    operations: dict[str | None, OperationType] = {
        node.name.value: node.operation for node in nodes if node.name
    }
    if len(nodes) == 1:
        operations[None] = nodes[0].operation
    return operations

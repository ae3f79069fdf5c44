"""The `info` argument of field resolvers, typed with the request's context."""

from typing import TypeAlias

import strawberry

from ostinato.resolvers.request import RequestContext

Info: TypeAlias = strawberry.Info[RequestContext, None]

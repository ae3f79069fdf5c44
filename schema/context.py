"""What a field resolver gets from the transport: the request's context, typed."""

from typing import TypeAlias

import strawberry

from ostinato.resolvers.request import RequestContext

Info: TypeAlias = strawberry.Info[RequestContext, None]

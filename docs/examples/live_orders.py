"""An application's own schema: an `Order` with its jobs, live.

OSTINATO_FUNCTIONS=docs.examples.my_functions uvicorn docs.examples.live_orders:app
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import strawberry
from fastapi import FastAPI

from ostinato import NotFound, Ostinato, graphql

ostinato = Ostinato()


@dataclass
class StoredOrder:
    """An order in the application's database."""

    id: str
    customer: str
    job_ids: list[str] = field(default_factory=list)


orders: dict[str, StoredOrder] = {}


def find_order(info: graphql.Info, order_id: str) -> StoredOrder:
    """Return an order of the viewer."""
    found = orders.get(order_id)
    if found is None or found.customer != info.context.viewer.id:
        raise NotFound("you have no order with this id")
    return found


@strawberry.type
class Order:
    id: strawberry.ID
    stored: strawberry.Private[StoredOrder]

    @strawberry.field
    async def jobs(self, info: graphql.Info) -> list[graphql.Job]:
        return await graphql.read_jobs(info, self.stored.job_ids)


@strawberry.type
class Query(graphql.Query):
    @strawberry.field
    def order(self, info: graphql.Info, order_id: strawberry.ID) -> Order | None:
        return Order(id=order_id, stored=find_order(info, order_id))


@strawberry.type
class Mutation(graphql.Mutation):
    @strawberry.mutation
    async def place_order(self, info: graphql.Info, item: str) -> Order | None:
        customer = info.context.viewer.id
        order = StoredOrder(id=str(len(orders) + 1), customer=customer)
        orders[order.id] = order
        args = {"recipient": item, "amount": 1}
        job = await ostinato.schedule("my_functions.receipt", args, owner=customer)
        order.job_ids.append(job.id)
        return Order(id=strawberry.ID(order.id), stored=order)


@strawberry.type
class Subscription(graphql.Subscription):
    @strawberry.subscription
    def order_jobs(
        self, info: graphql.Info, order_id: strawberry.ID, after: str | None = None
    ) -> AsyncGenerator[graphql.JobChange, None]:
        return graphql.follow_jobs(info, find_order(info, order_id).job_ids, after=after)


schema = graphql.build_schema(Query, Mutation, Subscription)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with ostinato:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/ostinato", ostinato.asgi(schema=schema))

"""Follows MongoDB's changes once per process and hands them to whoever watches."""

from ostinato.jobs.hub.facts import HubFacts
from ostinato.jobs.hub.hub import Hub
from ostinato.jobs.hub.subscription import Delivery, Subscription
from ostinato.jobs.hub.watch import Notice, Watch

__all__ = ["Delivery", "Hub", "HubFacts", "Notice", "Subscription", "Watch"]

"""Follows MongoDB's changes once per process and hands them to whoever watches."""

from jobs.hub.facts import HubFacts
from jobs.hub.hub import Hub
from jobs.hub.subscription import Delivery, Subscription
from jobs.hub.watch import Notice, Watch

__all__ = ["Delivery", "Hub", "HubFacts", "Notice", "Subscription", "Watch"]

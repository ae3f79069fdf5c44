"""Tails MongoDB's change stream once per process and dispatches changes to subscriptions."""

from ostinato.jobs.changefeed.feed import ChangeFeed, ChangeFeedStats
from ostinato.jobs.changefeed.matching import ChangeFilter, MatchedChange
from ostinato.jobs.changefeed.subscription import ChangeBatch, FeedSubscription

__all__ = [
    "ChangeBatch",
    "ChangeFeed",
    "ChangeFeedStats",
    "ChangeFilter",
    "FeedSubscription",
    "MatchedChange",
]

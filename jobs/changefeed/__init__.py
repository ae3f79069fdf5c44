"""Tails MongoDB's change stream once per process and dispatches changes to subscriptions."""

from ostinato.jobs.changefeed.feed import ChangeFeed, ChangeFeedStats
from ostinato.jobs.changefeed.feed_subscription import ChangeBatch, FeedSubscription
from ostinato.jobs.changefeed.matching import ChangeFilter, MatchedChange

__all__ = [
    "ChangeBatch",
    "ChangeFeed",
    "ChangeFeedStats",
    "ChangeFilter",
    "FeedSubscription",
    "MatchedChange",
]

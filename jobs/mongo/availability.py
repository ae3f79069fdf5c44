"""When MongoDB could not be written to, as the driver's own monitoring has seen it."""

import time

from pymongo.monitoring import (
    TopologyClosedEvent,
    TopologyDescriptionChangedEvent,
    TopologyListener,
    TopologyOpenedEvent,
)


class Availability(TopologyListener):
    """Told by the driver's threads; asked by whoever wonders why time has run out."""

    def __init__(self) -> None:
        self._is_writable = False
        self._last_away = time.monotonic()

    def was_away_since(self, instant: float) -> bool:
        """Tell whether there was no primary at any time after an instant of `time.monotonic()`."""
        return not self._is_writable or self._last_away >= instant

    def opened(self, event: TopologyOpenedEvent) -> None:
        """Ignore: nothing is known yet."""

    def description_changed(self, event: TopologyDescriptionChangedEvent) -> None:
        was_writable, self._is_writable = (
            self._is_writable,
            event.new_description.has_writable_server(),
        )
        if not (was_writable and self._is_writable):
            self._last_away = time.monotonic()

    def closed(self, event: TopologyClosedEvent) -> None:
        """Ignore: nobody asks any more."""

"""The watchdog of the API processes, which works when no worker does: alerts and their webhook."""

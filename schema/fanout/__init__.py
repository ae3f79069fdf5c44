"""Fan-out: sends the results of one execution to all clients with equal subscriptions."""

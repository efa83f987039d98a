"""The worker's doors: a message from the queue, or the passing of time, becomes plain calls to the rules."""

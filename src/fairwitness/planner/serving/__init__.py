"""Serving: rooflines of prefill and decode, batches, queues, money."""

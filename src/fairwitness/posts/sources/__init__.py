"""One file a network: each turns what it sends into events."""

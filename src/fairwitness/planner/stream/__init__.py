"""Machines for a stream of posts."""

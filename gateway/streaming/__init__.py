"""Replies while they are made: relayed, awaited, cancelled."""

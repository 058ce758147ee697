"""Conversations, messages, turns, what runs around a reply, and memory."""

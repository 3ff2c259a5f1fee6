"""Calling services: only hosts that the user allowed, only addresses that were checked."""

"""Conformance checks that every component must pass, ours or a plugin's; imported by tests only."""

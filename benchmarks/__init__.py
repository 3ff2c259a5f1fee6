"""Benchmarks: mlforge side by side, in one run, with what a person would otherwise write."""

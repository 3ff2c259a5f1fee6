"""Techniques for mlforge that change the light: one in each public module."""

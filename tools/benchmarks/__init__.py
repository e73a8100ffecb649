"""Measurements of the engine; no tests."""

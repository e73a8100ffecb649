"""Runs Pulumi programs in tests, and compares what they register. See README.md."""

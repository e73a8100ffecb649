"""Runs Pulumi programs in tests, and tells what a change makes of them. README.md says how."""

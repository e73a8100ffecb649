"""Servers for the outside hosts that a cluster declares."""

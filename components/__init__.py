"""The system's building blocks, one Pulumi component per noun."""

"""What the system is, as pure functions of its settings: names, access, specifications. No I/O, no Pulumi."""

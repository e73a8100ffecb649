"""The stack outputs that people and other stacks read."""

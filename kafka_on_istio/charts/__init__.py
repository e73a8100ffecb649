"""The Helm charts that a stack installs: their values, and what the program assumes of them."""

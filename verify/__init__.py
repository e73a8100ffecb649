"""Proof that a running system allows what its access model declares, and nothing else."""

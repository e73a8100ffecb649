"""The access model: who may connect to what, derived from the settings and exported by each stack."""

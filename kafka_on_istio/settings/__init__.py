"""The settings of a stack: types, schema by subject, loading and checks."""

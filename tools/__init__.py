"""Commands for developers of this repository and for its workflows."""

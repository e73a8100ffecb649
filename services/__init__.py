"""The demo application: one package and one image for all of its services."""

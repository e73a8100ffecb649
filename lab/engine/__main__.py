"""``python -m lab.engine``."""

from lab.engine.cli import main

main(prog_name="python -m lab.engine")

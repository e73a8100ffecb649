"""Programs that run in pods; none imports anything of this project."""

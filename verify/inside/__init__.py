"""Programs that are sent into pods as source; none imports anything of this project."""

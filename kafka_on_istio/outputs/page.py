"""The page of a stack in Pulumi Cloud, its output ``readme``."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined


def render(template: str, outputs: Mapping[str, Any]) -> str:
    """Return the page as Markdown. Pulumi Cloud replaces ``${outputs.NAME}`` by values.

    ``template`` is a Jinja template that asks which ``outputs`` exist. Raises jinja2.TemplateError if it is wrong.
    """
    # The page is Markdown, and contains no values.
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.from_string(template).render(outputs=outputs)

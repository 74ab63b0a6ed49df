"""The files of template/, as jinja2 fills them in."""

from typing import Any

import jinja2
import markupsafe

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("experiments.report", "template"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, /, **values: Any) -> str:
    """A template with its values, which it escapes."""
    return markupsafe.Markup(_ENVIRONMENT.get_template(name).render(values))


def read(name: str) -> str:
    """A file as it is, safe to put into a page."""
    assert _ENVIRONMENT.loader
    return markupsafe.Markup(_ENVIRONMENT.loader.get_source(_ENVIRONMENT, name)[0])

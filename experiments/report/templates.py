"""The files of template/, as jinja2 fills them in."""

import pathlib
import re
from typing import Any

import jinja2
import markupsafe

from experiments.evaluate import statistics
from pg2_jax import errors

_FOLDER = pathlib.Path(__file__).with_name("template")


def render(name: str, /, **values: Any) -> str:
    """A template with its values, which it escapes."""
    return markupsafe.Markup(_ENVIRONMENT.get_template(name).render(values))


def read(name: str) -> str:
    """A file as it is, safe to put into a page."""
    return markupsafe.Markup((_FOLDER / name).read_text("utf-8"))


def _signed(metric: str, value: float) -> str:
    """A difference, with one digit more than a score has."""
    digits = len(statistics.number(metric, 0.0).partition(".")[2]) + 1
    text = f"{value:+.2g}" if metric.endswith("l2") else f"{value:+.{digits}f}"
    return text.replace("-", "\u2212")


def _breakable(name: str) -> markupsafe.Markup:
    """A name that a narrow screen breaks after its signs, not in the middle."""
    parts = re.split(r"(?<=[_/.\-])", name)
    return markupsafe.Markup("<wbr>").join(parts)


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {"rounded": statistics.number, "signed": _signed}
_ENVIRONMENT.filters |= {
    "count": "{:,}".format,
    "counted": errors.counted,
    "breakable": _breakable,
}

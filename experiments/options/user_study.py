"""A user study: how many images, for how long, and the answers."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(
    option, group="User study", may_change=True, modes=("user_study",)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UserStudyOptions:
    """A user study: how many images, for how long, and the answers."""

    study_images: int = _option(
        55, "user_study: real images, and as many generated ones.", minimum=1
    )
    study_practice: int = _option(
        10,
        "user_study: the first N images are for practice and do not count.",
        minimum=0,
    )
    study_seconds: float = _option(
        1.0, "user_study: how long each image is shown.", above=0
    )
    answers: str = _option(
        "",
        "user_study: scores these answers to the study in --output: files, folders or "
        "patterns, with commas between, such as 'answers/*.json'.",
        path=True,
    )

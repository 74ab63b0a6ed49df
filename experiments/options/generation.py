"""The photo, the pose and where the drawing goes."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Generation", may_change=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The photo, the pose and where the drawing goes."""

    source_image: str = _option(
        "", "generate: the photo of the person.", path=True, modes=("generate",)
    )
    pose: str = _option(
        "",
        "generate: a keypoint file of any format that data_prep.annotations reads, "
        "such as OpenPose JSON or an annotation csv; of several poses --pose_name "
        "chooses one. Pixels are those of an image of --pose_size.",
        path=True,
        modes=("generate",),
    )
    pose_name: str = _option(
        "", "generate: which of several poses in --pose.", modes=("generate",)
    )
    pose_size: str = _option(
        "",
        "generate: HxW of the image that the pose was made for; default: the model's.",
        modes=("generate",),
    )
    output: str = _option(
        "",
        "generate: the PNG file to write. user_study: the folder of the study.",
        path=True,
        modes=("generate", "user_study"),
    )

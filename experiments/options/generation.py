"""The photos, the poses and where the drawings go."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(
    option, group="Generation", may_change=True, modes=("generate",)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions:
    """The photos, the poses and where the drawings go."""

    source_image: str = _option(
        "",
        "generate: the photo of the person, or a folder of photos, each of its own "
        "person.",
        path=True,
    )
    source_pose: str = _option(
        "",
        "generate: keypoints of the photos in --source_image, in any format that "
        "pg2_jax.keypoints reads. The photo is then cropped to the person, and poses "
        " get the size and place of the body.",
        path=True,
    )
    photo_fit: str = _option(
        "auto",
        "generate: how a photo of another size gets the model's. auto: crop where the "
        "joints are known (--source_pose, or a photo of another shape and an estimator "
        "is installed), else stretch up to 10 %, else letterbox.",
        ("auto", "crop", "letterbox", "stretch"),
    )
    pose: str = _option(
        "",
        "generate: one pose: a photo whose person takes it (needs an estimator), one "
        "of the program's own, such as catalogue/back, or a keypoint file of any "
        "format that pg2_jax.keypoints reads, such as OpenPose JSON or an "
        "annotation csv; of several poses --pose_name chooses one. Pixels are those of "
        "an image of --pose_size.",
        path=True,
    )
    pose_name: str = _option("", "generate: which of several poses in --pose.")
    pose_size: str = _option(
        "",
        "generate: HxW of the image that the pose was made for; default: the model's.",
    )
    poses: str = _option(
        "",
        "generate: several poses, in place of --pose: walk, turn, wave or catalogue, "
        "which come with the program, or a keypoint file or folder of them, in order.",
        path=True,
    )
    pose_fit: str = _option(
        "auto",
        "generate: how poses get their size and place. body: those of the person in "
        "the photo. image: as if a photo had been cropped to the pose. none: pixels "
        "are those of --pose_size. auto: body where the person's joints are known, "
        "else image for poses of photos and of the program, else none.",
        ("auto", "body", "image", "none"),
    )
    pose_model: str = _option(
        "",
        "generate, demo: the model file of the estimator that finds people in photos; "
        "default: the published one, downloaded once.",
        path=True,
        modes=("generate", "demo"),
    )
    mirror: bool = _option(
        False, "generate: takes the poses as in a mirror, left for right."
    )
    between: int = _option(
        0, "generate: poses put between each two of --poses.", minimum=0
    )
    skeleton: bool = _option(False, "generate: shows the poses, too.")
    paste_back: bool = _option(
        False, "generate: puts the drawing into the whole photo."
    )
    frames_per_second: float = _option(8.0, "generate: of an animation.", above=0)
    output: str = _option(
        "",
        "generate: the file to write. .png or .jpg: the drawing, or a contact sheet of "
        "several; .gif, .webp, .mp4: an animation; without a suffix: a folder of PNG. "
        "export: the file, or hf://user/repository to upload it. user_study: the "
        "folder of the study. report: the folder for index.html.",
        path=True,
        modes=("generate", "export", "report", "user_study"),
    )

"""Photos, poses and where the pictures go; the model as one file, or as a page."""

import dataclasses
import functools

from data_prep.flag_fields import option
from experiments.options.modes import ProgramOptions
from pg2_jax import keypoints

_generation = functools.partial(
    option, group="Generation", may_change=True, modes=("generate",)
)
_export = functools.partial(option, group="Export", may_change=True, modes=("export",))
_demo = functools.partial(option, group="Demo", may_change=True, modes=("demo",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions(ProgramOptions):
    """Photos, poses and where the pictures go; the model as one file, or as a page."""

    source_image: str = _generation("", path=True)
    """The photo of the person, or a folder of photos, each of its own person."""
    source_pose: str = _generation("", path=True)
    """Keypoints of the photos in --source_image, in any format that pg2_jax.keypoints
    reads. The photo is then cropped to the person, and poses get the size and place of
    the body."""
    photo_fit: str = _generation("auto", ("auto", "crop", "letterbox", "stretch"))
    """How a photo of another size gets the model's. auto: crop where the joints are
    known (--source_pose, or a photo of another shape and an estimator is installed),
    else stretch up to 10 %, else letterbox."""
    person: int = _generation(0, minimum=0, not_with=("source_pose",))
    """Which of several people that an estimator finds in --source_image, from 1, from
    left to right; 0 for the largest, who must be clearly so."""
    pose: str = _generation("", path=True)
    """One pose: a photo whose person takes it (needs an estimator), one of the
    program's own, such as catalogue/back, or a keypoint file of any format that
    pg2_jax.keypoints reads, such as OpenPose JSON or an annotation csv; of several
    poses --pose_name chooses one. Pixels are those of an image of --pose_size."""
    pose_name: str = _generation("")
    """Which of several poses in --pose."""
    pose_person: int = _generation(1, minimum=1)
    """Which of several people in a pose file, by size from 1, the largest. In --poses
    this person of the first frame with so many is followed."""
    min_confidence: float = _generation(
        keypoints.MIN_CONFIDENCE, minimum=0, maximum=1, modes=("generate", "evaluate")
    )
    """Joints that an estimator's file is less sure of count as missing."""
    pose_size: str = _generation("")
    """HxW of the image that the pose was made for; default: the one that the pose file
    names, else the model's. One of another shape goes into the middle of the model's,
    so that bodies keep their shape."""
    poses: str = _generation("", path=True)
    """Several poses, in place of --pose: walk, turn, wave or catalogue, which come with
    the program, or a keypoint file or folder of them, in order."""
    pose_fit: str = _generation("auto", ("auto", "body", "image", "none"))
    """How poses get their size and place. body: those of the person in the photo.
    image: as if a photo had been cropped to the pose. none: pixels are those of
    --pose_size. auto: body where the person's joints are known, but image where its
    legs or arms are missing, else image for poses of photos and of the program, else
    none."""
    pose_model: str = _generation("", path=True, modes=("generate", "demo"))
    """The model file of the estimator that finds people in photos; default: the
    published one, downloaded once."""
    mirror: bool = _generation(False)
    """Takes the poses as in a mirror, left for right."""
    between: int = _generation(0, minimum=0, needs=("poses",))
    """Poses put between each two of --poses."""
    skeleton: bool = _generation(False)
    """Shows the poses beside the pictures."""
    beside: bool = _generation(False)
    """Shows the source and the pose beside a single picture, also of a folder or an
    animation; a contact sheet has the source anyway."""
    scale: int = _generation(0, minimum=0, maximum=16)
    """How many times larger than the model's the pictures are written, by Lanczos; 0
    for 4, of an animation for 256 rows, and of a folder for 1, so that it can be
    scored. Pictures by pg2plus are not enlarged beyond --max_side, whole photos not at
    all."""
    paste_back: bool = _generation(False)
    """Puts the generated person into the whole photo, whose background stays its
    own."""
    max_side: int = _generation(1024, minimum=1)
    """The most pixels of the longer side of a picture by pg2plus, which has the photo's
    own resolution; pictures by the paper's networks have the model's."""
    frames_per_second: float = _generation(8.0, above=0)
    """Speed of an animation."""
    output: str = _generation(
        "",
        path=True,
        addresses=("hf://",),
        modes=("generate", "export", "report", "user_study", "evaluate"),
    )
    """What to write. generate: .png or .jpg, the picture, or a contact sheet of
    several; .gif, .webp, .mp4: an animation; without a suffix: a folder of PNG. export:
    the file, or hf://user/repository to upload it. user_study: the folder of the study.
    report: the folder for index.html. evaluate: the folder for the scores, --workdir
    where it is empty."""

    format: str = _export("safetensors", ("safetensors", "jax_export"))
    """safetensors, the weights with their config; or jax_export, the compiled model
    with its weights, which jax alone runs on CPU, CUDA and TPU."""
    dtype: str = _export("float32", ("float32", "float16", "bfloat16"))
    """The type of the stored weights. Images are generated in float32 all the same."""

    host: str = _demo("127.0.0.1")
    """The address to listen at. The default is seen from this machine alone; 0.0.0.0
    lets in the whole network."""
    port: int = _demo(7860, minimum=0, below=2**16)
    """The port; 0 for any free one."""
    examples_dir: str = _demo("", path=True)
    """Folder of photos to offer as examples (the first 12 by name); default: synthetic
    people."""
    max_upload_mb: int = _demo(40, minimum=1)
    """Megabytes of the largest photo or pose file; a phone's photo of 108 megapixels
    has 20 to 40."""
    max_waiting: int = _demo(16, minimum=0)
    """Requests that may wait for their turn; others hear: busy."""
    requests_per_minute: int = _demo(300, minimum=1)
    """Requests of one address; more are refused for a while."""

    def check_poses(self) -> None:
        """Checks that there is either one pose or several."""
        if self.mode != "generate":
            return
        if bool(self.pose) == bool(self.poses):
            raise ValueError(
                "--mode=generate takes either --pose, one pose, or --poses, several; "
                f"got {'both' if self.pose else 'neither'}."
            )

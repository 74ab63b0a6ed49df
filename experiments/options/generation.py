"""Photos, poses and where the pictures go; the model as one file, or as a page."""

import dataclasses

from experiments.options import modes
from pg2_jax import keypoints
from pg2_jax.checkpoint import run_folder

_generation = modes.flags_of("Generation", ("generate",))
_export = modes.flags_of("Export", ("export",))
_demo = modes.flags_of("Demo", ("demo",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerationOptions(modes.ProgramOptions):
    source_image: str = _generation("", path=True)
    """The photo of the person, or a folder of photos of one person each."""
    source_pose: str = _generation("", path=True)
    """Keypoints of the photos in --source_image, in any format that
    pg2_jax.keypoints reads, such as OpenPose JSON or a csv with the lines
    name:keypoints_y:keypoints_x, each a list of 18. The photo is then cropped to the
    person, and poses get the size and place of the body."""
    photo_fit: str = _generation("auto", ("auto", "crop", "letterbox", "stretch"))
    """How a photo of another size is fitted to the model. auto: crop to the person
    if the joints are known (from --source_pose, or from an installed estimator if
    the photo has other proportions than the model); else stretch by at most 10 %;
    else letterbox."""
    person: int = _generation(0, minimum=0, not_with=("source_pose",))
    """Which person in --source_image, if an estimator finds several: 1, 2, ... from
    left to right. 0: the largest, who must be clearly larger than the others."""
    pose: str = _generation("", path=True)
    """One pose: a photo of somebody in this pose (needs an estimator); one of the
    program's poses, such as catalogue/back; or a keypoint file in any format that
    pg2_jax.keypoints reads, such as OpenPose JSON or an annotation csv. --pose_name
    chooses one of several. Coordinates are pixels of an image of --pose_size."""
    pose_name: str = _generation("")
    """Which of several poses in --pose."""
    pose_person: int = _generation(1, minimum=1)
    """Which of several people in a pose file, by size; 1 is the largest. In
    --poses, this person of the first frame that has so many is followed."""
    min_confidence: float = _generation(
        keypoints.MIN_CONFIDENCE, minimum=0, maximum=1, modes=("generate", "evaluate")
    )
    """Joints of an estimator's file with a lower confidence count as missing."""
    pose_size: str = _generation("")
    """HxW of the image that the pose was made for. Default: the size in the pose
    file, else the model's. An image of other proportions is centred in the model's,
    so that bodies keep their shape."""
    poses: str = _generation("", path=True)
    """Several poses, in place of --pose: walk, turn, wave or catalogue, which come
    with the program; or a keypoint file or a folder of them, in order."""
    pose_fit: str = _generation("auto", ("auto", "body", "image", "none"))
    """How poses get their size and place. body: those of the person in the photo.
    image: as if a photo had been cropped to the pose. none: pixels are those of
    --pose_size. auto: body where the person's joints are known, without the legs or
    arms that the photo does not show, else image for poses of photos and of the
    program, else none."""
    pose_model: str = _generation("", path=True, modes=("generate", "demo"))
    """Model file of the estimator that finds people in photos. Default: the
    published one, downloaded once."""
    mirror: bool = _generation(False)
    """Mirrors the poses, left for right."""
    between: int = _generation(0, minimum=0, needs=("poses",))
    """Number of poses put between each two of --poses."""
    skeleton: bool = _generation(False)
    """Shows the poses beside the pictures."""
    beside: bool = _generation(False)
    """Shows the source and the pose beside a single picture, also in a folder or an
    animation. A contact sheet shows the source in any case."""
    scale: int = _generation(0, minimum=0, maximum=16)
    """Size of the written pictures, as a multiple of the model's image size (Lanczos).
    0: 4; for an animation at least 256 rows; for a folder 1, so that it can be scored.
    Pictures of pg2plus are not enlarged beyond --max_side, whole photos not at all."""
    paste_back: bool = _generation(False)
    """Puts the generated person back into the whole photo and keeps the photo's
    background."""
    max_side: int = _generation(1024, minimum=1)
    """Most pixels on the longer side of a picture by pg2plus, which has the resolution
    of the photo. Pictures of the paper's networks have the resolution of the model."""
    frames_per_second: float = _generation(8.0, above=0)
    """Speed of an animation."""
    output: str = _generation(
        "",
        path=True,
        addresses=modes.ADDRESSES,
        modes=("generate", "export", "report", "user_study", "evaluate"),
    )
    """What to write. generate: .png or .jpg for a picture, or a contact sheet of
    several; .gif, .webp or .mp4 for an animation; no suffix for a folder of PNG.
    export: the file, here or in cloud storage (gs://, s3://, az://), or
    hf://user/repository to upload it. user_study: the folder of the study. report: the
    folder for index.html. evaluate: the folder for the scores; default: --workdir."""

    format: str = _export("safetensors", run_folder.FORMATS)
    """safetensors: the weights and their config. jax_export: the compiled model
    with its weights, which needs only jax to run, on CPU, CUDA or TPU. onnx: the
    same for ONNX Runtime and other programs (extra onnx)."""
    dtype: str = _export("float32", ("float32", "float16", "bfloat16"))
    """Type of the stored weights. Images are generated in float32 in any case."""

    static: str = _demo("", path=True)
    """Folder to write the page to, as files for any web server. The browser itself
    then runs the model, and no photo is uploaded (extra onnx, and npm)."""
    onnxruntime_web: str = _demo("", path=True, needs=("static",))
    """Folder of the npm package onnxruntime-web, unpacked. Default: npm fetches it."""
    host: str = _demo("127.0.0.1", not_with=("static",))
    """The address to listen on. The default is reachable from this computer only;
    0.0.0.0 lets other computers in."""
    port: int = _demo(7860, minimum=0, below=2**16, not_with=("static",))
    """The port; 0 for any free one."""
    examples_dir: str = _demo("", path=True)
    """Folder of photos to offer as examples (the first 12 by name). Default: the
    photos that come with the model, and synthetic people."""
    max_upload_mb: int = _demo(40, minimum=1)
    """Largest photo or pose file, in megabytes. A phone's photo of 108 megapixels
    has 20 to 40."""
    max_waiting: int = _demo(16, minimum=0, not_with=("static",))
    """Requests that may wait for their turn. Further ones are refused with an error."""
    requests_per_minute: int = _demo(300, minimum=1, not_with=("static",))
    """Requests per minute from one address. Further ones are refused for a while."""

    def check_poses(self) -> None:
        """Checks that there is either one pose or several."""
        if self.mode == "generate" and bool(self.pose) == bool(self.poses):
            raise ValueError(
                "--mode=generate takes either --pose, one pose, or --poses, several; "
                f"got {'both' if self.pose else 'neither'}."
            )

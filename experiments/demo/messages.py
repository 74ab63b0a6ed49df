"""What the endpoints for programs take and answer, in JSON."""

import pydantic

_MOST_SCALE = 8


class _Request(pydantic.BaseModel):
    image: str
    source_keypoints: list[list[float]] | None = None
    person: int = pydantic.Field(0, ge=0)
    scale: int = pydantic.Field(1, ge=1, le=_MOST_SCALE)
    large: bool = False


class DrawRequest(_Request):
    """A photo and a pose.

    `image` is base64 of a JPEG, PNG, BMP or WebP file of any size, or a data URL.
    `keypoints` is the pose: 18 rows (x, y, visible) in pixels of the model's image, in
    OpenPose COCO-18 order. `source_keypoints` are those of the person in pixels of the
    photo; without them a pose estimator looks for the person, if the server has one,
    and `person` chooses one of several, from 1, from left to right. A photo of other
    proportions than the model's is cropped to the person, or to its middle if the
    person's place is not known. The pictures are enlarged `scale` times (Lanczos). With
    `large` a pg2plus gives the picture at the photo's own resolution instead, where
    that is higher and the person's joints are known; it takes about a second."""

    keypoints: list[list[float]]


class Pictures(pydantic.BaseModel):
    """The images of G1 and of G2, base64 of PNG files. If the model has only one
    network, its image is `coarse`, and `refined` is null."""

    coarse: str
    refined: str | None


class DrawResponse(Pictures):
    """The pictures, and why they are worse than they might be, in words: such as that
    the joints of the person are not known. Null if nothing is wrong."""

    warning: str | None


class SequenceRequest(_Request):
    """A photo as above, and the name of a sequence of `pose_library`."""

    sequence: str


class SequenceResponse(pydantic.BaseModel):
    """The pictures of a sequence, their poses in pixels of the model's image, base64 of
    a GIF of them, and the warning as above."""

    frames: list[Pictures]
    keypoints: list[list[list[float]]]
    animation: str
    warning: str | None

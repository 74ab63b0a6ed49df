"""The demo's server: the files of the page, and JSON for the page and for programs."""

import base64
import pathlib
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import anyio.to_thread
import fastapi
import numpy as np
import pydantic
from fastapi import responses, staticfiles
from fastapi.exceptions import RequestValidationError
from PIL import Image
from starlette.exceptions import HTTPException

from experiments import pictures
from experiments.config import Config
from experiments.demo import limits, model_queue, page_setup
from experiments.demo.model_queue import ModelQueue, Person
from pg2_jax import errors, visualize
from pg2_jax.estimators import person_finder
from pg2_jax.inference import pose_library

_PAGE = pathlib.Path(__file__).parent / "page"

_Result = TypeVar("_Result")
_Number = Annotated[int, fastapi.Query(ge=0)]


class _Request(pydantic.BaseModel):
    image: str
    source_keypoints: list[list[float]] | None = None
    person: int = pydantic.Field(0, ge=0)
    scale: int = pydantic.Field(1, ge=1, le=8)
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


def make_server(
    queue: ModelQueue, people: dict[str, Person], config: Config
) -> fastapi.FastAPI:
    """The page and the endpoints, behind the config's limits; `people` are examples."""
    app = fastapi.FastAPI(
        title="pg2_jax", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json"
    )
    max_bytes = config.max_upload_mb * 2**20
    app.add_middleware(
        limits.Limits,
        # Base64, and room for what travels beside a file.
        max_bytes=max_bytes * 4 // 3 + 2**20,
        requests_per_minute=config.requests_per_minute,
    )
    for kind in (ValueError, model_queue.Busy, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _explain)
    setup = {**page_setup.setup(queue, people), "max_bytes": max_bytes}
    app.mount("/page", staticfiles.StaticFiles(directory=_PAGE))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def get_page() -> responses.FileResponse:
        return responses.FileResponse(_PAGE / "index.html")

    @app.get("/setup.json", include_in_schema=False)
    async def get_setup() -> dict[str, Any]:
        return setup

    _add_uploads(app, queue, config.max_upload_mb)
    _add_api(app, queue)
    return app


def _add_uploads(app: fastapi.FastAPI, queue: ModelQueue, most_mb: int) -> None:
    async def uploaded(request: fastapi.Request) -> bytes:
        content = await request.body()
        if len(content) > most_mb * 2**20:
            raise HTTPException(413, f"The file is larger than {most_mb} MB.")
        return content

    @app.post("/api/photo", include_in_schema=False)
    async def fit_photo(
        request: fastapi.Request, name: str, number: _Number = 0
    ) -> dict[str, Any]:
        content = await uploaded(request)
        person = await _run(queue, queue.fit_photo, content, name, None, number)
        return {**page_setup.shown(queue, person), "people": person.people}

    @app.post("/api/pose", include_in_schema=False)
    async def read_pose(request: fastapi.Request, name: str) -> dict[str, Any]:
        content = await uploaded(request)
        keypoints, note = await _run(queue, queue.read_pose, content, name)
        return {"keypoints": keypoints.tolist(), "note": note}


def _add_api(app: fastapi.FastAPI, queue: ModelQueue) -> None:
    @app.get("/healthz")
    async def get_health() -> dict[str, Any]:
        """Says that the server answers, and with which model."""
        height, width = queue.size
        step = queue.model.step
        return {"status": "ok", "step": step, "height": height, "width": width}

    @app.post("/api/draw")
    async def draw(request: DrawRequest) -> DrawResponse:
        """Generates the person of a photo in a pose."""
        return await _run(queue, _draw, queue, request)

    @app.post("/api/sequence")
    async def draw_sequence(request: SequenceRequest) -> SequenceResponse:
        """Generates the person of a photo in each pose of a sequence."""
        return await _run(queue, _draw_sequence, queue, request)


async def _run(
    queue: ModelQueue, work: Callable[..., _Result], *arguments: Any
) -> _Result:
    # Taken before a thread is, so that no more threads wait than may.
    with queue.place():
        return await anyio.to_thread.run_sync(work, *arguments)


def _draw(queue: ModelQueue, request: DrawRequest) -> DrawResponse:
    # Before anybody is looked for in the photo.
    keypoints = model_queue.check_keypoints(request.keypoints)
    person, warning = _person(queue, request)
    drawn = _generated(queue, person, keypoints, request)
    return DrawResponse(**_encoded(*drawn), warning=warning)


def _draw_sequence(queue: ModelQueue, request: SequenceRequest) -> SequenceResponse:
    poses = np.stack(list(pose_library.read(request.sequence).values()))
    person, warning = _person(queue, request)
    fitted = queue.fit_poses(poses, person.keypoints)
    drawn = [_generated(queue, person, points, request) for points in fitted]
    first, *others = (coarse if fine is None else fine for coarse, fine in drawn)
    animation = pictures.to_base64(
        first,
        "GIF",
        save_all=True,
        append_images=[Image.fromarray(image) for image in others],
        duration=page_setup.FRAME_MS,
        loop=0,
    )
    return SequenceResponse(
        frames=[Pictures(**_encoded(*images)) for images in drawn],
        keypoints=fitted.tolist(),
        animation=animation,
        warning=warning,
    )


def _person(queue: ModelQueue, request: _Request) -> tuple[Person, str | None]:
    """The person of a request, and the warning to programs, which can send joints."""
    content, joints = _from_base64(request.image), request.source_keypoints
    person = queue.fit_photo(content, "image", joints, request.person)
    if not person.warning:
        return person, None
    known = person.keypoints is not None
    hint = "" if known else " Send the person's joints as source_keypoints."
    return person, f"image: {person.warning}{hint}"


def _generated(
    queue: ModelQueue, person: Person, keypoints: np.ndarray, request: _Request
) -> tuple[np.ndarray, np.ndarray | None]:
    """The pictures of G1 and of G2, uint8 [h, w, 3], as large as was asked for."""
    if request.large and person.large is not None:
        return queue.generate_large(person, keypoints), None
    coarse, refined = queue.generate(person, keypoints)
    height = request.scale * queue.size[0]
    fine = None if refined is None else visualize.resized(refined[0], height)
    return visualize.resized(coarse[0], height), fine


def _encoded(coarse: np.ndarray, refined: np.ndarray | None) -> dict[str, Any]:
    fine = None if refined is None else pictures.to_base64(refined, "PNG")
    return {"coarse": pictures.to_base64(coarse, "PNG"), "refined": fine}


def _from_base64(text: str) -> bytes:
    """The file of base64 in lines of any length, or of a browser's data URL."""
    if text.startswith("data:"):
        header, _, text = text.partition(",")
        if not header.endswith(";base64"):
            raise ValueError("image: the data URL must be of base64 (;base64,...).")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError("image: expected a file in base64, or a data URL.") from error


async def _explain(request: fastapi.Request, error: Exception) -> fastapi.Response:
    status, reason, headers, more = 400, errors.for_visitors(error), None, {}
    if isinstance(error, person_finder.SeveralPeopleError):
        more = {"people": error.people}
    elif isinstance(error, model_queue.Busy):
        status, headers = 503, {"Retry-After": "2"}
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        status, reason = 422, f"{where or 'body'}: {first['msg']}."
    elif isinstance(error, HTTPException):
        status, reason = error.status_code, error.detail
        headers = dict(error.headers or {})
        if status == 405:
            allowed = headers.get("Allow", "GET")
            reason = f"{request.url.path} takes {allowed}, not {request.method}."
    return responses.JSONResponse({"error": reason, **more}, status, headers)

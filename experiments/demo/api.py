"""The demo for programs: GET /healthz and POST /api/draw."""

import base64
import binascii
import io
from typing import Any

import anyio.to_thread
import fastapi
import numpy as np
import pydantic
from fastapi import responses
from fastapi.exceptions import RequestValidationError
from PIL import Image

from experiments.demo.demo_studio import Busy, Studio, check_keypoints


class DrawRequest(pydantic.BaseModel):
    """A photo and a pose.

    Attributes:
        image: base64 of a JPEG, PNG, BMP or WebP file, of any size; of one of
            another shape than the model's the part around the person is used, or the
            middle where the server has no pose estimator.
        keypoints: 18 rows (x, y, visible) in pixels of the model's image, OpenPose
            COCO-18 order.
    """

    image: str
    keypoints: list[list[float]]


class DrawResponse(pydantic.BaseModel):
    """The drawings, base64 of PNG files.

    Attributes:
        coarse: G1's image.
        refined: G2's image; null where the model is G1 alone.
    """

    coarse: str
    refined: str | None


def make_app(studio: Studio) -> fastapi.FastAPI:
    """The JSON endpoints."""
    app = fastapi.FastAPI(
        title="pg2_jax",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_exception_handler(RequestValidationError, _invalid)

    @app.get("/healthz")
    async def healthz() -> dict[str, Any]:
        """Says that the server answers, and what it draws with."""
        height, width = studio.size
        step = studio.model.step
        return {"status": "ok", "step": step, "height": height, "width": width}

    @app.post("/api/draw", response_model=DrawResponse)
    async def draw(request: DrawRequest) -> Any:
        """Draws the person of a photo in a pose."""
        try:
            # Taken before a thread is, so that no more threads wait than may.
            with studio.place():
                return await anyio.to_thread.run_sync(_draw, studio, request)
        except ValueError as error:
            return _error(400, str(error))
        except Busy as error:
            return _error(503, str(error))

    return app


def png(image: np.ndarray) -> str:
    """Base64 of the PNG file of uint8 [H, W, 3]."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return base64_of(buffer.getvalue())


def base64_of(content: bytes) -> str:
    """The bytes of a file as text."""
    return base64.b64encode(content).decode()


def from_base64(text: str, name: str) -> bytes:
    """The bytes that a text in base64 stands for.

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{name}: expected a file in base64.") from error


def _draw(studio: Studio, request: DrawRequest) -> DrawResponse:
    keypoints = check_keypoints(request.keypoints)
    photo, _ = studio.fit_photo(from_base64(request.image, "image"), "image")
    drawn = studio.draw(photo, keypoints)
    refined = None if drawn.refined is None else png(drawn.refined)
    return DrawResponse(coarse=png(drawn.coarse), refined=refined)


async def _invalid(_: fastapi.Request, error: Exception) -> fastapi.Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return _error(422, f"{where or 'body'}: {first['msg']}.")


def _error(status: int, reason: str) -> fastapi.Response:
    headers = {"Retry-After": "2"} if status == 503 else None
    return responses.JSONResponse({"error": reason}, status, headers)

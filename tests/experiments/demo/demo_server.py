"""A demo that the tests visit: one server in a thread, on this machine alone."""

import base64
import contextlib
import http.client
import io
import json
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the page needs the extra demo")

import uvicorn

from experiments.demo import demo, model_queue, server

POSE = np.stack([np.linspace(2, 13, 18), np.linspace(1, 30, 18), np.ones(18)], axis=1)


@contextlib.contextmanager
def serving(queue, people, config):
    """Serves a demo; yields its port."""
    app = server.make_server(queue, people, config)
    uvicorn_server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    )
    with demo.listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(
            target=uvicorn_server.run, args=([listener],), daemon=True
        )
        thread.start()
        while not uvicorn_server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield listener.getsockname()[1]
        uvicorn_server.should_exit = True
        thread.join(10)


def ask(port, method, path, body=None, headers=()):
    """One request, its path sent as it is; returns status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def post(port, content, path="/api/draw"):
    """Sends JSON, or bytes as they are; returns status and parsed JSON."""
    headers = {}
    if not isinstance(content, bytes):
        content, headers = json.dumps(content), {"Content-Type": "application/json"}
    status, body = ask(port, "POST", path, content, headers)
    return status, json.loads(body)


def photo(height=32, width=16):
    """Noise, uint8 [H, W, 3]."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def nobody():
    """An example whose keypoints are not known."""
    return model_queue.Person(photo(), None)


def request(**changes):
    """What `POST /api/draw` takes."""
    return {"image": encoded(photo()), "keypoints": POSE.tolist(), **changes}


def png(image) -> bytes:
    """The PNG file of an image."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(buffer, "PNG")
    return buffer.getvalue()


def encoded(image) -> str:
    """Base64 of the PNG file of an image."""
    return base64.b64encode(png(image)).decode()


def decoded(text: str) -> np.ndarray:
    """The image of a PNG file in base64, or in a data URL."""
    content = base64.b64decode(text.rpartition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)))


def huge_png(width: int, height: int) -> bytes:
    """A PNG file of a few kilobytes whose header says so many pixels."""
    content = bytearray(png(np.zeros((16, 16, 3), np.uint8)))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)

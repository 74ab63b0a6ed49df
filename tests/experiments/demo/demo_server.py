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
import uvicorn
from PIL import Image

from experiments.demo import demo, demo_app


@contextlib.contextmanager
def serving(studio, people, config):
    """Serves a demo; yields its port."""
    app = demo_app.make_server(studio, people, config)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    )
    with demo.listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
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
    """Sends JSON; returns status and parsed JSON."""
    headers = {"Content-Type": "application/json"}
    status, body = ask(port, "POST", path, json.dumps(content), headers)
    return status, json.loads(body)


def encoded(image: np.ndarray) -> str:
    """Base64 of the PNG file of an image."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def decoded(text: str) -> np.ndarray:
    """The image of a PNG file in base64."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def huge_png(width: int, height: int) -> bytes:
    """A PNG file of a few kilobytes whose header says so many pixels."""
    content = bytearray(base64.b64decode(encoded(np.zeros((16, 16, 3), np.uint8))))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)

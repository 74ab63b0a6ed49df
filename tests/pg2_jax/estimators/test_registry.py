"""Model files: downloaded from a server on this machine, checked, cached."""

import functools
import hashlib
import http.server
import threading
import zipfile

import pytest

from pg2_jax import downloads
from pg2_jax.estimators import registry

CONTENT = b"weights" * 1000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if "short" in self.path:  # Promises more than it sends.
            self.send_response(200)
            self.send_header("Content-Length", "9000")
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "model.task").write_bytes(CONTENT)
    (folder / "broken.zip").write_bytes(CONTENT)
    with zipfile.ZipFile(folder / "model.zip", "w") as archive:
        archive.writestr("somewhere/../model/end2end.onnx", CONTENT)
        archive.writestr("readme.txt", "hello")
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pg2_jax"


def _publish(monkeypatch, url, member="", checksum=CHECKSUM):
    model = downloads.Published(url, checksum, "kept.task", member)
    monkeypatch.setitem(registry.MODELS, "mediapipe", model)


@pytest.mark.parametrize(
    ("file", "member"), [("model.task", ""), ("model.zip", "end2end.onnx")]
)
def test_a_model_is_downloaded_once(server, cache, monkeypatch, file, member):
    _publish(monkeypatch, f"{server}/{file}", member)
    path = registry.locate("mediapipe", "")
    assert path == cache / "kept.task" and path.read_bytes() == CONTENT
    assert [entry.name for entry in cache.iterdir()] == ["kept.task"]
    _publish(monkeypatch, "http://127.0.0.1:9/gone")
    assert registry.locate("mediapipe", "") == path


def test_a_damaged_cache_is_replaced(server, cache, monkeypatch):
    _publish(monkeypatch, f"{server}/model.task")
    cache.mkdir(parents=True)
    (cache / "kept.task").write_bytes(CONTENT[:-1])
    assert registry.locate("mediapipe", "").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("file", "member", "checksum", "message"),
    [
        ("model.task", "", "0" * 64, f"its SHA-256 is {CHECKSUM}, expected 0000"),
        ("no.task", "", CHECKSUM, "File not found"),
        ("short.task", "", CHECKSUM, "7,000 of 9,000 bytes arrived|IncompleteRead"),
        ("model.zip", "other.onnx", CHECKSUM, "the archive holds no other.onnx"),
        ("broken.zip", "end2end.onnx", CHECKSUM, "File is not a zip file"),
    ],
)
def test_a_bad_download_leaves_nothing_and_says_where_to_get_it(
    server, cache, monkeypatch, file, member, checksum, message
):
    _publish(monkeypatch, f"{server}/{file}", member, checksum)
    with pytest.raises(ValueError, match=message) as error:
        registry.locate("mediapipe", "")
    assert f"is at {server}/{file}: fetch it" in str(error.value)
    assert f"save it as {downloads.cache_folder()}/" in str(error.value)
    assert list(cache.iterdir()) == []


def test_without_internet_the_message_says_what_to_do(cache, monkeypatch):
    _publish(monkeypatch, "http://127.0.0.1:9/model.task")
    with pytest.raises(
        ValueError, match=r"refused; mediapipe's model is at http.*9/mod"
    ):
        registry.locate("mediapipe", "")


def test_a_cache_that_cannot_be_made_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _publish(monkeypatch, f"{server}/model.task")
    with pytest.raises(ValueError, match="Not a directory"):
        registry.locate("mediapipe", "")


def test_a_path_is_taken_as_it_is(cache, tmp_path):
    path = tmp_path / "mine.task"
    with pytest.raises(ValueError, match=r"model=.*mine\.task: there is no such file"):
        registry.locate("mediapipe", str(path))
    path.write_bytes(b"anything")
    assert registry.locate("mediapipe", str(path)) == path
    assert not cache.exists()


def test_published_models_are_pinned():
    for name, model in registry.MODELS.items():
        assert model.url.startswith("https://"), name
        assert len(model.sha256) == 64 and int(model.sha256, 16)
        assert "latest" not in model.url

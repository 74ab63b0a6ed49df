"""What the demo's server does not let in."""

import http.client
import json

from experiments.config import Config
from experiments.demo import limits
from tests.experiments.demo import demo_server
from tests.experiments.demo.demo_server import ask, nobody, post, request


def test_bodies_are_limited_with_and_without_a_length(demo_queue):
    config = Config(mode="demo", workdir="unused", max_upload_mb=1)
    with demo_server.serving(demo_queue, {"a": nobody()}, config) as port:
        status, answer = post(port, request(image="A" * 4_000_000))
        assert status == 413 and "larger than 2.3 MB" in answer["error"]
        pieces = (b"A" * 100_000 for _ in range(40))
        status, body = ask(port, "POST", "/api/draw", pieces)
        assert status == 413 and b"larger than 2.3 MB" in body


def test_a_body_that_does_not_arrive_is_not_waited_for(demo_queue, monkeypatch):
    monkeypatch.setattr(limits, "_BODY_SECONDS", 0.1)
    config = Config(mode="demo", workdir="unused")
    with demo_server.serving(demo_queue, {"a": nobody()}, config) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest("POST", "/api/draw")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"{")
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
    assert response.status == 408
    assert answer == {"error": "The request took too long to arrive."}


def test_an_address_that_asks_too_often_is_put_off(demo_queue):
    config = Config(mode="demo", workdir="unused", requests_per_minute=3)
    with demo_server.serving(demo_queue, {"a": nobody()}, config) as port:
        statuses = [post(port, request())[0] for _ in range(3)]
        status, answer = post(port, request())
        assert statuses == [200] * 3
        assert status == 429 and "Too many requests" in answer["error"]
        assert ask(port, "GET", "/healthz")[0] == 200


def test_answers_forbid_what_the_page_does_not_need(demo_queue):
    config = Config(mode="demo", workdir="unused")
    with demo_server.serving(demo_queue, {"a": nobody()}, config) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/")
        headers = connection.getresponse().headers
        connection.close()
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["X-Content-Type-Options"] == "nosniff"

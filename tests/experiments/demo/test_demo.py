"""The demo's flags, its port, and what is loaded before visitors come."""

import dataclasses

import pytest

from experiments.config import Config
from experiments.demo import demo
from pg2_jax.estimators import base, person_finder, registry, weights


def test_the_estimator_is_opened_before_visitors_come(monkeypatch, capsys):
    config = Config(mode="demo", workdir="unused")
    monkeypatch.setattr(person_finder, "_installed", lambda: None)
    assert demo.open_finder(config) is None
    assert "note: photos of another shape are cut to their middle; to find" in (
        capsys.readouterr().out
    )
    opened = []
    monkeypatch.setattr(person_finder, "_installed", lambda: "mediapipe")
    monkeypatch.setattr(registry, "open_estimator", opened.append)
    named = dataclasses.replace(config, pose_model="/nowhere/model.task")
    with pytest.raises(ValueError, match=r"^pose_model=/nowhere/model.task: there"):
        demo.open_finder(named)
    monkeypatch.setattr(weights, "locate", lambda name, model: model)
    assert demo.open_finder(named).is_installed()
    assert opened == [base.Settings("mediapipe", "/nowhere/model.task")]


def test_a_port_that_is_taken_is_named():
    with demo.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"--port={port}: .*in use"):
            demo.listen("127.0.0.1", port)
    with pytest.raises(OSError, match=r"--host=no\.such\.host\.invalid"):
        demo.listen("no.such.host.invalid", 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workdir": ""}, "--workdir is required with --mode=demo"),
        ({"port": 70_000}, "--port=70000 must be below 65536"),
        ({"requests_per_minute": 0}, "--requests_per_minute=0 must be at least 1"),
    ],
)
def test_bad_flags(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**{"mode": "demo", "workdir": "w", **changes})

"""The benchmark of training counts right, and its peer computes what we do."""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark import jax_peer, plus, train
from pg2_jax import models
from pg2_jax.architecture import Architecture

SIZE = (1, 128, 64)


def shapes(*channels):
    return [jax.ShapeDtypeStruct((*SIZE, n), jnp.float32) for n in channels]


def test_operations_of_the_released_networks():
    """Counted by hand from the authors' code: 37.375, 10.202 and 0.324 billion
    multiplications, G1's 1x1 convolutions after enlarging."""
    networks = Architecture(
        image_height=128,
        image_width=64,
        refine_decoder="constant",
        refine_full_skip=False,
        discriminator_input="triplet",
    )
    found = jax_peer.forward_flops(models.coarse_generator(networks), *shapes(3, 18))
    places = [(8 * 4, 768 * 512), (16 * 8, 1024 * 384), (32 * 16, 768 * 256)]
    narrow = sum(a * b for a, b in [*places, (64 * 32, 512 * 128)])
    assert found / 2e9 == pytest.approx(37.375 - 3 * narrow / 1e9, abs=1e-3)
    found = jax_peer.forward_flops(models.RefinementGenerator(networks), *shapes(3, 3))
    assert found / 2e9 == pytest.approx(10.202, abs=1e-3)
    found = jax_peer.forward_flops(models.Discriminator(networks), *shapes(3))
    assert found / 2e9 == pytest.approx(0.324, abs=1e-3)


def test_ratios_shares_and_hours():
    found = {
        "pg2_jax": {
            "stage I step": ([4.0, 2.0], [6.0, 6.0]),
            "stage II step": ([8.0, 8.0], [9.0, 9.0]),
            "generation": ([1.0, 1.0], [1.0, 1.0]),
            "product": ([0.5, 1.0], [1.0, 1.0]),
        },
    }
    found["PyTorch"] = {name: ([5.0, 5.0], [3.0, 3.0]) for name in found["pg2_jax"]}
    flops = dict.fromkeys(found["pg2_jax"], 1e9)
    series = train._compare(found, flops)
    named = {one.name: list(one.values) for one in series}
    assert named["stage I step, pg2_jax / PyTorch"] == [0.8, 0.4]
    share = "stage I step, pg2_jax: share of its matrix product's rate"
    assert named[share] == [0.125, 0.5]
    assert named["matrix product, pg2_jax"] == [2.0, 1.0]
    ratios = ("stage II step", 1.6), ("generation", 0.2)
    for task, ratio in ratios:
        assert named[f"{task}, pg2_jax / PyTorch"] == [ratio, ratio]
    assert [series[3].name, *series[3].values] == ["the same by CPU time", 2.0, 2.0]
    hours = train._schedule(found["pg2_jax"], (128, 64), 8)[0]
    want = [2 * (22_000 * s + 14_000 * 8) / 3600 for s in (4, 2)]
    assert list(hours.values) == pytest.approx(want)
    assert not train._schedule(found["pg2_jax"], (32, 16), 8)


def test_pytorch_computes_the_same(tmp_path):
    """Losses of both stages from the same weights, and images."""
    pytest.importorskip("torch", reason="the peer needs the extra `benchmark`")
    measured = train.measure(
        tmp_path,
        scale=0.03,
        repeats=1,
        image_size=(32, 16),
        batch_size=2,
        precision="float32",
        torch_compile=False,
        first_step=False,
    )
    assert measured.facts["largest difference of a value"] < 1e-4
    assert {len(series.values) for series in measured.series} == {1}


def test_first_steps_are_taken_by_other_processes(monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(jax_peer, "take_first_step", lambda *given: taken.append(given))
    monkeypatch.setattr(train.subprocess, "run", lambda command, **_: exec(command[-1]))
    series = train._first_steps(tmp_path, 0.5, (32, 16), 2, "float32")
    assert taken == [(str(tmp_path / "cache"), 0.5, (32, 16), 2, "float32")] * 2
    names = [one.name for one in series]
    assert names == ["start to first step, cold", "start to first step, warm"]


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "experiments.benchmark.torch_peer", None)
    with pytest.raises(ValueError, match="--what=train compares with PyTorch: pip"):
        train._torch()


class Peer:
    """Stands for `jax_peer.Peer`: its tasks do nothing but count."""

    def __init__(self, architecture, batch_size):
        self.calls = dict.fromkeys(jax_peer.TASKS, 0)
        self.tasks = {task: functools.partial(self.count, task) for task in self.calls}
        made.append((architecture, batch_size, self.calls))

    def count(self, task):
        self.calls[task] += 1


made = []


def test_pg2plus_beside_the_paper(monkeypatch, tmp_path):
    monkeypatch.setattr(jax_peer, "Peer", Peer)
    made.clear()
    options = {"image_size": (32, 16), "batch_size": 2, "precision": "float32"}
    measured = plus.measure(tmp_path, scale=0.02, repeats=2, **options)
    named = {series.name: series.values for series in measured.series}
    for task in jax_peer.TASKS:
        pairs = zip(named[f"{task}, pg2plus"], named[f"{task}, PG2"], strict=True)
        ratios = [ours / paper for ours, paper in pairs]
        assert list(named[f"{task}, pg2plus / PG2"]) == pytest.approx(ratios)
    assert len(named) == 9
    networks = [architecture.coarse_network for architecture, _, _ in made]
    assert networks == ["part_transfer", "bottleneck"]
    # One that compiles, and eight in each turn.
    for _, batch_size, calls in made:
        assert batch_size == 2 and set(calls.values()) == {1 + 2 * 8}


@pytest.mark.slow
def test_pg2plus_trains_and_generates():
    architecture = jax_peer.plus_architecture(0.02, (32, 16), "float32")
    for call in jax_peer.Peer(architecture, 2).tasks.values():
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(call()))


@pytest.mark.parametrize(
    ("ours", "of_torch"), [("gpu", "cpu"), ("cpu", "cuda"), ("tpu", "cpu")]
)
def test_a_gpu_is_not_compared_with_a_cpu(ours, of_torch, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: ours)
    message = f"jax computes on {ours}, PyTorch on {of_torch}: install the other"
    with pytest.raises(ValueError, match=message):
        train._check_same_device(of_torch)
    for same in (("gpu", "cuda"), ("cpu", "cpu")):
        monkeypatch.setattr(jax, "default_backend", lambda same=same: same[0])
        train._check_same_device(same[1])

"""The benchmark of training counts right, and its peer computes what we do."""

import importlib.util
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark import jax_peer, train
from experiments.train import training_steps
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
    clocks = {
        "stage I step": ([4.0, 2.0], [6.0, 6.0]),
        "stage II step": ([8.0, 8.0], [9.0, 9.0]),
        "generation": ([1.0, 1.0], [1.0, 1.0]),
        "matrix product": ([0.5, 1.0], [1.0, 1.0]),
    }
    found = {}
    for task, ours in clocks.items():
        found[task, "pg2_jax"] = ours
        found[task, "PyTorch"] = ([5.0, 5.0], [3.0, 3.0])
    compared = train._compare(found)
    series = compared + train._shares(found, dict.fromkeys(clocks, 1e9))
    named = {one.name: list(one.values) for one in series}
    assert named["stage I step, pg2_jax / PyTorch"] == [0.8, 0.4]
    share = "stage I step, pg2_jax: share of its matrix product's rate"
    assert named[share] == [0.125, 0.5]
    assert named["matrix product, pg2_jax"] == [2.0, 1.0]
    ratios = ("stage II step", 1.6), ("generation", 0.2)
    for task, ratio in ratios:
        assert named[f"{task}, pg2_jax / PyTorch"] == [ratio, ratio]
    assert [series[3].name, *series[3].values] == ["the same by CPU time", 2.0, 2.0]
    hours = train._schedule(found, jax_peer.config(0.01, "128x64", 8))[0]
    want = [2 * (22_000 * s + 14_000 * 8) / 3600 for s in (4, 2)]
    assert list(hours.values) == pytest.approx(want)
    assert not train._schedule(found, jax_peer.config(0.01, "32x16", 8))


_MEASURED = """
import json, pathlib, sys
from experiments.benchmark import train
measured = train.measure(
    pathlib.Path(sys.argv[1]), scale=0.03, repeats=1, image_size="32x16",
    batch_size=2, precision="float32", torch_compile=False, first_step=False,
)
difference = measured.facts["largest difference of a value"]
print(json.dumps([difference, {x.name: len(x.values) for x in measured.series}]))
"""


def test_pytorch_computes_the_same(tmp_path):
    """Losses of both stages from the same weights, and images; in a process of its own,
    because PyTorch's triton crashes beside the tensorflow of other tests."""
    if not importlib.util.find_spec("torch"):
        pytest.skip("the peer needs the extra `benchmark`")
    command = [sys.executable, "-c", _MEASURED, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    difference, repeats = json.loads(said.stdout.splitlines()[-1])
    assert difference < 1e-4
    assert set(repeats.values()) == {1}
    assert "generation, pg2_jax / PyTorch" in repeats
    assert list(repeats)[-1] == "checkpoint: restore and compare checksums"


def test_first_steps_are_taken_by_other_processes(monkeypatch, tmp_path):
    ran = []

    def run(command, env, cwd):
        ran.append(env)
        exec(command[-1])

    monkeypatch.setattr(jax_peer, "Peer", Peer)
    monkeypatch.setattr(train.subprocess, "check_call", run)
    made.clear()
    size = {"scale": 0.5, "image_size": "32x16", "batch_size": 2}
    series = train._first_steps(tmp_path, size)
    config = jax_peer.config(**size)
    first = {"stage I step": 1, "stage II step": 0, "generation": 0}
    assert made == [(config, first)] * 2
    folders = [env["JAX_COMPILATION_CACHE_DIR"] for env in ran]
    assert folders == [str(tmp_path / "cache")] * 2
    names = [one.name for one in series]
    assert names == ["start to first step, cold", "start to first step, warm"]


@pytest.mark.slow
def test_a_checkpoint_has_the_size_of_the_state(tmp_path):
    # Wide enough that the parts which are written twice, at times half a megabyte, and
    # the names of the arrays are little of it.
    state = training_steps.first_state(jax_peer.config(0.08, "128x64", 2))
    random = np.random.default_rng(0)

    def noise(x):
        if x.dtype != np.float32:
            return x
        # The optimizer's first zeros would compress.
        return jax.device_put(random.standard_normal(x.shape, np.float32), x.sharding)

    size, *seconds = train._checkpoints(tmp_path, jax.tree.map(noise, state), 2)
    # Weights and two moments in float32; random bits do not compress by much.
    want = sum(player.size for player in state.players.values()) * 3 * 4 / 2**30
    assert 0.9 * want < size.values[0] < 1.1 * want
    assert all(len(s.values) == 2 and min(s.values) > 0 for s in seconds)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "experiments.benchmark.torch_peer", None)
    with pytest.raises(ValueError, match="--what=train compares with PyTorch: pip"):
        train.measure(None, repeats=1, torch_compile=False, first_step=False)


class Peer:
    """Stands for `jax_peer.Peer`: does nothing but count."""

    def __init__(self, config):
        self.counts = dict.fromkeys(jax_peer.TASKS, 0)
        made.append((config, self.counts))

    def take(self, task):
        self.counts[task] += 1
        return task

    @staticmethod
    def wait(result):
        assert result in jax_peer.TASKS
        return 1.0


made = []


def test_pg2plus_beside_the_paper(monkeypatch, tmp_path):
    monkeypatch.setattr(jax_peer, "Peer", Peer)
    made.clear()
    options = {"image_size": "32x16", "batch_size": 2, "precision": "float32"}
    measured = train.measure_plus(tmp_path, scale=0.02, repeats=2, **options)
    named = {series.name: series.values for series in measured.series}
    for task in jax_peer.TASKS:
        pairs = zip(named[f"{task}, pg2plus"], named[f"{task}, PG2"], strict=True)
        ratios = [ours / paper for ours, paper in pairs]
        assert list(named[f"{task}, pg2plus / PG2"]) == pytest.approx(ratios)
    assert len(named) == 9 + 1  # and all by CPU time
    networks = [config.coarse_network for config, _ in made]
    assert networks == ["part_transfer", "bottleneck"]
    # One that compiles, and in each turn one untimed and eight.
    for config, counts in made:
        assert config.batch_size == 2 and set(counts.values()) == {1 + 2 * 9}


@pytest.mark.slow
def test_pg2plus_trains_and_generates():
    config = jax_peer.config(0.02, "32x16", 2, more=jax_peer.PLUS)
    peer = jax_peer.Peer(config)
    for task in jax_peer.TASKS:
        assert np.isfinite(peer.take(task)).all()


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

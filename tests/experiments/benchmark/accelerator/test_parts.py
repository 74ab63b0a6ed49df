"""Each part by itself: what it says, and what it does where something is missing."""

import importlib.machinery
import json
import os
import pathlib
import sys
import types

import numpy as np
import pytest

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import (
    ceilings,
    equality,
    machine,
    plan,
    rates,
    report,
    timed_parts,
    torch_speed,
    training,
)
from pg2_jax.input_pipeline import pair_reader
from tests.experiments.benchmark.accelerator.test_plan import settings


@pytest.fixture
def reported(tmp_path):
    """A report, and what is on the disk of it."""
    made = report.Report(tmp_path / "report.json")
    made.stored = lambda: report.read(tmp_path / "report.json")
    return made


def run_part(monkeypatch, tmp_path, measure):
    """The exit code and the report of a part that does this."""
    stub = types.SimpleNamespace(measure=measure)
    monkeypatch.setitem(sys.modules, f"{timed_parts._PACKAGE}.stub", stub)
    monkeypatch.setattr(timed_parts, "_end_with", lambda parent: None)
    told, path = tmp_path / "settings.json", tmp_path / "report.json"
    told.write_text(json.dumps(vars(settings())))
    return timed_parts.main(["stub", str(told), str(path)]), report.read(path)


def test_a_part_says_how_it_has_ended(monkeypatch, tmp_path, capsys):
    def measure(settings, report):
        assert settings.image_size == (32, 16)
        with report.attempt("first"):
            raise MemoryError("RESOURCE_EXHAUSTED: 9 GB")
        report.row("Speed", images_a_second=3.0)

    code, left = run_part(monkeypatch, tmp_path, measure)
    assert (code, left["state"]) == (0, "done")
    assert left["failures"] == ["first: MemoryError: RESOURCE_EXHAUSTED: 9 GB"]
    assert left["tables"] == {"Speed": [{"images a second": 3.0}]}
    assert "MemoryError" in capsys.readouterr().err  # with its traceback, in the log


@pytest.mark.parametrize(
    ("error", "code", "state", "reason"),
    [
        (plan.LeftOut("no PyTorch"), 0, "left out", "no PyTorch"),
        (ValueError("no\nGPU"), 1, "failed", "ValueError: no GPU"),
    ],
)
def test_a_part_that_ends_early_says_why(
    error, code, state, reason, monkeypatch, tmp_path
):
    def measure(settings, report):
        report.fact("rate", 1)
        with report.attempt("all") if state == "left out" else report.attempt("none"):
            if state == "left out":
                raise error
        raise error

    got, left = run_part(monkeypatch, tmp_path, measure)
    assert (got, left["state"], left["error"]) == (code, state, reason)
    assert left["facts"] == {"rate": 1}


def test_a_part_ends_with_the_program_that_started_it(monkeypatch):
    killed = []
    parents = iter([7, 7, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(timed_parts.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(os, "killpg", lambda *given: killed.append(given))
    timed_parts._end_with(7)
    assert killed == [(0, timed_parts.signal.SIGKILL)] and not list(parents)


def test_results_as_text():
    content = {
        "title": "T",
        "about": {"commit": "abc"},
        "parts": {
            "our_speed": {
                "state": "failed",
                "error": "E: no",
                "seconds": 3.2,
                "limit": 9.0,
                "failures": ["bfloat16: E: x"],
                "facts": {"rate": 1234.56},
                "tables": {"S": [{"a": 0.00012344, "b": None}, {"a": 1, "c": False}]},
            }
        },
    }
    assert report.text(content).splitlines() == [
        "# T",
        "",
        "- commit: abc",
        "",
        "## Speed of pg2_jax",
        "",
        "failed, 3 s of at most 9: E: no",
        "- failed: bfloat16: E: x",
        "",
        "- rate: 1,235",
        "",
        "### S",
        "",
        "| a | b | c |",
        "| --- | --- | --- |",
        "| 0.0001234 | - | - |",
        "| 1 | - | NO |",
    ]


def test_the_machine_is_named(reported, monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    done = types.SimpleNamespace(stdout="NVIDIA H200, 143771 MiB, 580.1\n")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: done)
    monkeypatch.setitem(sys.modules, "torch", None)
    machine.measure(settings(), reported)
    facts = reported.stored()["facts"]
    assert facts["platform"] == "cpu" and facts["devices"].endswith(" x cpu")
    assert facts["nvidia-smi"] == "NVIDIA H200, 143771 MiB, 580.1"
    assert facts["PyTorch"] == "not installed"


def test_a_driver_that_does_not_answer_is_named(monkeypatch):
    def fail(*_, **__):
        raise OSError("no driver")

    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    monkeypatch.setattr(machine.subprocess, "run", fail)
    assert machine._nvidia_smi() == "failed: no driver"


def test_ceilings_are_rates(reported, monkeypatch):
    monkeypatch.setattr(rates, "timed", lambda call, settings: call() is None or 0.5)
    ceilings.measure(settings(scale=0.001), reported)
    facts = reported.stored()["facts"]
    # 2**28 / 1000 numbers of 4 bytes, read and written in half a second.
    wanted = 2 * 4 * round(2**28 / 1000) / 0.5 / 1e9
    assert facts["copy, GB/s, bytes read and written"] == pytest.approx(wanted)
    assert facts["side of the matrices"] == 256
    for precision in ("bfloat16", "float32"):
        rate = facts[rates.rate_name(precision)]
        assert rate == pytest.approx(2 * 256**3 / 0.5 / 1e12)
    share = rates.share({"ceilings": facts}, "bfloat16", 2 * 256**3, 2.0)
    assert share == pytest.approx(0.25)
    assert rates.share({}, "bfloat16", 1.0, 1.0) is None


def test_a_run_is_as_long_as_the_clock_needs(monkeypatch):
    """A call takes 10 ms of the clock; a run of at least 30 ms has three."""
    clock, calls, waits = [0.0], [], []

    def call():
        clock[0] += 0.01
        calls.append(clock[0])
        return clock[0]

    monkeypatch.setattr(rates.time, "perf_counter", lambda: clock[0])
    seconds = rates.timed(call, settings(scale=0.06), wait=waits.append)
    assert seconds == pytest.approx(0.01)
    assert len(calls) == 2 + 2 * 3 and len(waits) == 4
    assert waits[-1] == calls[-1]


@pytest.mark.parametrize(
    ("how", "wanted"), [("absolute", 0.5), ("relative", 0.25), ("norms", 0.1)]
)
def test_differences(how, wanted):
    one = {"a": np.array([2.5, 0.0]), "b": np.array([3.0, 4.4])}
    other = {"a": np.array([2.0, 0.0]), "b": np.array([3.0, 4.0])}
    if how == "norms":
        one, other = {"a": np.array([3.3, 4.4])}, {"a": np.array([3.0, -4.0])}
    assert equality.difference(one, other, how) == pytest.approx(wanted)


def test_what_is_not_a_number_is_infinitely_far():
    numbers = np.array([1.0, np.nan])
    assert equality.difference(numbers, np.ones(2), "absolute") == np.inf
    assert equality.difference(np.ones(1), np.zeros(1), "relative") == np.inf


def test_a_bias_before_a_norm_is_not_compared():
    gradient = {
        "conv0": {"kernel": 1, "bias": 2},
        "conv1": {"kernel": 3, "bias": 4},
        "norm1": {"scale": 5, "offset": 6},
    }
    assert equality._without_noise(gradient) == {
        "conv0": {"kernel": 1, "bias": 2},
        "conv1": {"kernel": 3},
        "norm1": {"scale": 5, "offset": 6},
    }


def test_without_pytorch_its_part_is_left_out(reported, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(plan.LeftOut, match="PyTorch is not installed: pip install"):
        torch_speed.measure(settings(), reported)


class TorchPeer(types.SimpleNamespace):
    """Stands for the module torch_peer: every call takes its turn at nothing."""

    def __init__(self, device):
        super().__init__(DEVICE=types.SimpleNamespace(type=device), made=[])

    def Peer(self, state, inputs, architecture, **options):
        self.made.append((architecture.precision, options["compiled"]))
        if options["compiled"]:
            raise RuntimeError("no C compiler")
        calls = dict.fromkeys(jax_peer.TASKS, lambda: None)
        return types.SimpleNamespace(calls=calls, compiled=False)

    def precision(self, architecture):
        return architecture.precision

    def forget_peak(self):
        pass

    def peak_gib(self):
        return 1.5

    def wait(self, result=None):
        return result


def use_torch(monkeypatch, device):
    peer = TorchPeer(device)
    torch = types.ModuleType("torch")
    torch.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "experiments.benchmark.torch_peer", peer)
    monkeypatch.setattr(jax_peer, "first_state", lambda architecture: None)
    flops = dict.fromkeys(jax_peer.TASKS, 3e9)
    monkeypatch.setattr(jax_peer, "task_flops", lambda *given: flops)
    monkeypatch.setattr(torch_speed.inputs, "prepare", lambda *given: None)
    return peer


def test_a_pytorch_without_gpu_is_refused_beside_a_gpu(reported, monkeypatch):
    use_torch(monkeypatch, "cpu")
    on_gpu = {"machine": {"platform": "gpu"}}
    with pytest.raises(ValueError, match="PyTorch sees no GPU, jax does"):
        torch_speed.measure(settings(facts=on_gpu), reported)


def test_pytorch_is_measured_in_both_precisions_and_fails_alone(reported, monkeypatch):
    peer = use_torch(monkeypatch, "cuda")
    monkeypatch.setattr(rates, "timed", lambda call, settings, wait: 0.02)
    facts = {
        "machine": {"platform": "gpu"},
        "our_speed": {"stage I step, bfloat16 of jax, ms": 10.0},
        "ceilings": {rates.rate_name("bfloat16"): 0.5},
    }
    torch_speed.measure(settings(facts=facts), reported)
    assert peer.made == [
        ("bfloat16", False),
        ("float32", False),
        ("bfloat16", True),
        ("float32", True),
    ]
    stored = reported.stored()
    assert stored["failures"] == [
        "compiled, bfloat16: RuntimeError: no C compiler",
        "compiled, float32: RuntimeError: no C compiler",
    ]
    rows = stored["tables"]["Steps and generation"]
    assert len(rows) == 6 and rows[0]["program"] == "eager"
    assert rows[0]["images a second"] == 100 and rows[0]["ms"] == 20
    assert rows[0]["ours / PyTorch"] == 0.5
    assert rows[1]["ours / PyTorch"] is None
    # 3 GFLOP in 0.02 s of 0.5 TFLOP/s.
    assert rows[0]["share of matrix product"] == pytest.approx(0.3)
    assert rows[3]["share of matrix product"] is None
    (first, _) = stored["tables"]["Projected schedules"]
    # 36,000 steps of 2 pairs, eight times as many for those of 16.
    assert first["minutes"] == pytest.approx(36_000 * 0.02 * 8 / 60)
    assert first["program"] == "PyTorch, eager"


def test_people_are_made(tmp_path):
    data_dir = training._make_people(settings(), tmp_path)
    dataset = pair_reader.PairDataset(data_dir, reader="memory")
    assert (dataset.height, dataset.width) == (32, 16)
    (test,) = dataset.test_batches(batch_size=4, limit=4)
    assert {name.split("_")[0] for pair in test.names for name in pair} <= {
        "0005",
        "0006",
    }
    # Of 10 photos of a person with both shoulders and hips there are 90 pairs.
    assert 50 < dataset.count("train") <= 4 * 90
    size = sum(file.stat().st_size for file in pathlib.Path(data_dir).iterdir())
    assert size < 40e6


class Training(types.SimpleNamespace):
    """Stands for a training and its history: 2 steps more at each look."""

    def __init__(self, ends_with, signals):
        super().__init__(status=None, killed=False, step=0)
        self.ends_with, self.signals = ends_with, signals

    def __call__(self, command, cwd):
        self.command = command
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def poll(self):
        return self.status

    def send_signal(self, number):
        self.signals.append((number, self.step))

    def wait(self):
        return self.ends_with

    def kill(self):
        self.killed = True

    def read(self, workdir):
        self.step += 2
        return [{"step": self.step}]


def a_run(monkeypatch, tmp_path, reported, ends_with):
    signals = []
    process = Training(ends_with, signals)
    monkeypatch.setattr(training.subprocess, "Popen", process)
    monkeypatch.setattr(training.history, "read", process.read)
    monkeypatch.setattr(training.time, "sleep", lambda seconds: None)
    told = settings(folder=tmp_path, output=tmp_path)
    return training._Run(told, reported, "paper", "data"), process


def test_a_training_is_told_to_stop_at_a_step(monkeypatch, tmp_path, reported):
    run, process = a_run(monkeypatch, tmp_path, reported, 128 + 15)
    assert run._train(stop_after=3) == 6
    assert process.signals == [(15, 4)]
    words = process.command
    assert {"--coarse_steps=12", "--refine_steps=6", "--reader=memory"} < {*words}
    assert words.index("--mode=train") > 0 and "--steps_per_call=2" in words


@pytest.mark.parametrize(("stop_after", "status"), [(3, 0), (None, 1), (None, 143)])
def test_a_training_that_ends_otherwise_fails(
    stop_after, status, monkeypatch, tmp_path, reported
):
    run, _ = a_run(monkeypatch, tmp_path, reported, status)
    with pytest.raises(ValueError, match=f"ended with exit status {status}"):
        run._train(stop_after)


def test_no_training_outlives_an_error(monkeypatch, tmp_path, reported):
    run, process = a_run(monkeypatch, tmp_path, reported, 0)

    def fail(workdir):
        raise ValueError("not JSON")

    monkeypatch.setattr(training.history, "read", fail)
    with pytest.raises(ValueError, match="not JSON"):
        run._train(stop_after=3)
    assert process.killed

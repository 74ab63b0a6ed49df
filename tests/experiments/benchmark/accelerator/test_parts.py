"""Each part by itself: what it says, and what it does where something is missing."""

import importlib.machinery
import os
import sys
import types

import numpy as np
import pytest

from experiments import command_line, results
from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import (
    equality,
    report,
    speed,
    timed_parts,
    training,
)
from pg2_jax.input_pipeline import pair_reader


def settings(folder="f", scale=0.06):
    return report.Settings(
        scale=scale, image_size="32x16", repeats=2, minutes=1.0, folder=str(folder)
    )


def begin_report(output, facts=None, scale=0.06):
    """The report of a part, `machine`; the facts of others are on the disk. `stored` is
    what is there of its own."""
    parts = {name: {"state": "interrupted"} for name in timed_parts.PARTS}
    for name, known in (facts or {}).items():
        parts[name]["facts"] = known
    told = vars(settings(output, scale))
    path = output / report.RESULTS
    results.write_json(path, {"settings": told, "parts": parts})
    made = report.Report(output, "machine")
    made.stored = lambda: results.read_json(path)["parts"]["machine"]
    return made


@pytest.fixture
def reported(tmp_path):
    return begin_report(tmp_path)


def run_part(monkeypatch, reported, measure):
    """The report of a part that does this."""
    monkeypatch.setitem(timed_parts.PARTS, "machine", ("The machine", 1.0, measure))
    monkeypatch.setattr(timed_parts, "_end_with", lambda parent: None)
    timed_parts.main(["machine", str(reported.output)])
    return reported.stored()


def test_a_part_says_how_it_has_ended(monkeypatch, reported, capsys):
    def measure(report):
        assert report.settings == settings(report.output)
        with report.attempt("first"):
            raise MemoryError("RESOURCE_EXHAUSTED: 9 GB")
        report.row("Speed", {"images a second": 3.0})

    left = run_part(monkeypatch, reported, measure)
    assert left["state"] == "done"
    assert left["failures"] == ["first: MemoryError: RESOURCE_EXHAUSTED: 9 GB"]
    assert left["tables"] == {"Speed": [{"images a second": 3.0}]}
    assert "MemoryError" in capsys.readouterr().err  # with its traceback, in the log


def test_a_part_that_fails_says_why(monkeypatch, reported):
    def measure(report):
        report.fact("rate", 1)
        raise ValueError("no\nGPU")

    left = run_part(monkeypatch, reported, measure)
    assert (left["state"], left["error"]) == ("failed", "ValueError: no GPU")
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
        "commit": "abc",
        "versions": {"jax": "0.10.2", "flax": "0.12.0"},
        "settings": vars(settings()),
        "parts": {
            "our_speed": {
                "title": "Speed of pg2_jax",
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
        "# pg2_jax on an accelerator",
        "",
        "- commit: abc",
        "- versions: jax 0.10.2, flax 0.12.0",
        "- scale: 0.06",
        "- image_size: 32x16",
        "- repeats: 2",
        "- minutes: 1.0",
        "- rehearsal: smaller networks; no time says anything of the real",
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
    monkeypatch.setattr(speed.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    said = "NVIDIA H200, 143771 MiB, 580.1\n"
    monkeypatch.setattr(speed.subprocess, "check_output", lambda *_, **__: said)
    speed.measure_machine(reported)
    facts = reported.stored()["facts"]
    assert facts["platform"] == "cpu" and facts["devices"].endswith(" x cpu")
    assert facts["nvidia-smi"] == "NVIDIA H200, 143771 MiB, 580.1"


def test_a_driver_that_does_not_answer_is_named(reported, monkeypatch):
    def fail(*_, **__):
        raise OSError("no driver")

    monkeypatch.setattr(speed.shutil, "which", lambda name: name)
    monkeypatch.setattr(speed.subprocess, "check_output", fail)
    speed.measure_machine(reported)
    assert reported.stored()["failures"] == ["nvidia-smi: OSError: no driver"]


def test_ceilings_are_rates(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "timed", lambda call, report: call() is None or 0.5)
    reported = begin_report(tmp_path, scale=0.001)
    speed.measure_ceilings(reported)
    facts = reported.stored()["facts"]
    # 2**28 / 1000 numbers of 4 bytes, read and written in half a second.
    wanted = 2 * 4 * round(2**28 / 1000) / 0.5 / 1e9
    assert facts["copy, GB/s, bytes read and written"] == pytest.approx(wanted)
    assert facts["side of the matrices"] == 256
    for precision in ("bfloat16", "float32"):
        rate = facts[speed.RATE.format(precision)]
        assert rate == pytest.approx(2 * 256**3 / 0.5 / 1e12)


def test_a_run_is_as_long_as_the_clock_needs(reported, monkeypatch):
    """A call takes 10 ms of the clock; a run of at least 30 ms has three."""
    clock, calls, waits = [0.0], [], []

    def call():
        clock[0] += 0.01
        calls.append(clock[0])
        return clock[0]

    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock[0])
    seconds = speed.timed(call, reported, wait=waits.append)
    assert seconds == pytest.approx(0.01)
    assert len(calls) == 2 + 2 * 3 and len(waits) == 4
    assert waits[-1] == calls[-1]


class Peers(types.SimpleNamespace):
    """Stands for jax_peer: every call takes its turn at nothing."""

    def __init__(self):
        super().__init__(asked=[])
        self.PROGRAMS = {"pg2_jax": self.make}

    def make(self, config):
        self.asked.append((config.image_size, config.batch_size, config.precision))
        nothing = dict.fromkeys(("take", "wait"), lambda given: given)
        return types.SimpleNamespace(memory_gib=lambda task: 1.5, **nothing)

    def precision(self, config):
        return config.precision


def test_the_full_work_is_the_papers(tmp_path, monkeypatch):
    """The most telling first, with several steps a call; of the real widths, but no
    network is made."""
    peers, reported = Peers(), begin_report(tmp_path, scale=1.0)
    for name in ("PROGRAMS", "precision"):
        monkeypatch.setattr(jax_peer, name, getattr(peers, name))
    # 22,000 steps of 10 ms and 14,000 of 10: 360 s.
    monkeypatch.setattr(speed, "timed", lambda *_: 0.2)
    reported.settings.__dict__["image_size"] = "128x64"
    speed.measure_ours(reported)
    assert peers.asked == [
        *(("128x64", 16, precision) for precision in report.PRECISIONS),
        ("256x256", 8, "bfloat16"),
        *(("128x64", 16, precision) for precision in report.PRECISIONS),
    ]
    tables = reported.stored()["tables"]
    first, *_, last = tables["Projected schedules"]
    assert first["minutes"] == pytest.approx(360 / 60) and first["reached"] is True
    assert (first["goal"], first["steps a call"]) == (10, 20)
    assert last["minutes"] == pytest.approx(20 * 360 / 60) and last["reached"] is False
    large = tables["Projected schedules"][2]
    assert large["schedule"] == "DeepFashion, 30,000 + 20,000 steps of 8"
    assert large["goal"] == 60
    speeds = tables["Steps and generation"]
    assert [row["steps a call"] for row in speeds[:3]] == [20, 20, 1]
    assert [row["ms"] for row in speeds[:3]] == [10, 10, 200]
    fact = "stage I step, bfloat16 of jax, ms"
    assert reported.stored()["facts"][fact] == 10


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
    left = run_part(monkeypatch, reported, speed.measure_torch)
    assert left["state"] == "left out"
    assert left["error"].startswith("PyTorch is not installed: pip install")


class TorchPeers(Peers):
    """Stands for the module torch_peer."""

    def __init__(self, device):
        super().__init__()
        self.DEVICE = types.SimpleNamespace(type=device)
        self.DESCRIPTION = "2.13 on a GPU"
        self.PROGRAMS = {"PyTorch": self.make, "PyTorch, compiled": self.fail}

    def fail(self, config):
        raise RuntimeError("no C compiler")


def use_torch(monkeypatch, device):
    peers = TorchPeers(device)
    torch = types.ModuleType("torch")
    torch.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "experiments.benchmark.torch_peer", peers)
    flops = dict.fromkeys(jax_peer.TASKS, 3e9)
    monkeypatch.setattr(jax_peer, "task_flops", lambda config: flops)
    return peers


def test_a_pytorch_without_gpu_is_refused_beside_a_gpu(tmp_path, monkeypatch):
    use_torch(monkeypatch, "cpu")
    on_gpu = begin_report(tmp_path, {"machine": {"platform": "gpu"}})
    on_gpu.fact("platform", "gpu")
    with pytest.raises(ValueError, match="PyTorch sees no GPU, jax does"):
        speed.measure_torch(on_gpu)


def test_pytorch_is_measured_in_both_precisions_and_fails_alone(tmp_path, monkeypatch):
    peers = use_torch(monkeypatch, "cuda")
    monkeypatch.setattr(speed, "timed", lambda call, report, wait: 0.02)
    facts = {
        "our_speed": {"stage I step, bfloat16 of jax, ms": 10.0},
        "ceilings": {speed.RATE.format("bfloat16"): 0.5},
    }
    reported = begin_report(tmp_path, facts)
    speed.measure_torch(reported)
    assert peers.asked == [("32x16", 2, "bfloat16"), ("32x16", 2, "float32")]
    stored = reported.stored()
    assert stored["failures"] == [
        f"PyTorch, compiled, Market-1501, {precision}, 1 steps a call: RuntimeError: "
        "no C compiler"
        for precision in report.PRECISIONS
    ]
    assert stored["facts"] == {"PyTorch": "2.13 on a GPU"}
    rows = stored["tables"]["Steps and generation"]
    assert len(rows) == 6 and rows[0]["program"] == "PyTorch"
    assert rows[0]["images a second"] == 100 and rows[0]["ms"] == 20
    assert rows[0]["pg2_jax / this"] == 0.5
    assert "pg2_jax / this" not in rows[1]
    assert rows[0]["memory, GiB"] == 1.5
    # 3 GFLOP in 0.02 s of 0.5 TFLOP/s.
    assert rows[0]["share of matrix product"] == pytest.approx(0.3)
    assert rows[3]["share of matrix product"] is None
    (first, _) = stored["tables"]["Projected schedules"]
    # 36,000 steps of 2 pairs, eight times as many for those of 16.
    assert first["minutes"] == pytest.approx(36_000 * 0.02 * 8 / 60)


def test_people_are_made(tmp_path):
    training._make_people(settings(), tmp_path)
    dataset = pair_reader.PairDataset(str(tmp_path / "data"), reader="memory")
    assert (dataset.height, dataset.width) == (32, 16)
    (test,) = dataset.test_batches(batch_size=4, limit=4)
    assert {name.split("_")[0] for pair in test.names for name in pair} <= {
        "0005",
        "0006",
    }
    # Of 10 photos of a person with both shoulders and hips there are 90 pairs.
    assert 50 < dataset.count("train") <= 4 * 90
    assert sum(file.stat().st_size for file in (tmp_path / "data").iterdir()) < 40e6


class Training(types.SimpleNamespace):
    """Stands for a training and its history: 2 steps more at each look."""

    def __init__(self, ends_with):
        super().__init__(status=None, killed=False, step=0, signals=[])
        self.ends_with = ends_with

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


@pytest.fixture
def begin(monkeypatch):
    """A training that ends with a status."""

    def stub(ends_with):
        process = Training(ends_with)
        monkeypatch.setattr(training.subprocess, "Popen", process)
        monkeypatch.setattr(training.history, "read", process.read)
        monkeypatch.setattr(training.time, "sleep", lambda seconds: None)
        return process

    return stub


def test_a_training_is_told_to_stop_at_a_step(begin, tmp_path):
    process = begin(128 + 15)
    assert training._session(["train"], tmp_path, stop_after=3) == 6
    assert process.signals == [(15, 4)] and process.command == ["train"]


@pytest.mark.parametrize(("stop_after", "status"), [(3, 0), (None, 1), (None, 143)])
def test_a_training_that_ends_otherwise_fails(stop_after, status, begin, tmp_path):
    begin(status)
    with pytest.raises(ValueError, match=f"ended with exit status {status}"):
        training._session([], tmp_path, stop_after)


def test_no_training_outlives_an_error(monkeypatch, begin, tmp_path):
    process = begin(0)

    def fail(workdir):
        raise ValueError("not JSON")

    monkeypatch.setattr(training.history, "read", fail)
    with pytest.raises(ValueError, match="not JSON"):
        training._session([], tmp_path, stop_after=3)
    assert process.killed


@pytest.mark.parametrize(
    ("run", "channels", "stages"),
    [("paper", 128, "two_stage"), ("pg2plus", 64, "one_network")],
)
def test_the_trainings_are_those_of_the_flagfiles(
    run, channels, stages, monkeypatch, tmp_path
):
    taken = []

    def session(command, workdir, stop_after=None):
        taken.append((command, stop_after))
        return 500 if stop_after else 2999

    monkeypatch.setattr(training, "_session", session)
    monkeypatch.setattr(
        training.results,
        "read_json",
        lambda path: {"sessions": [{"first_step": 0}, {"first_step": 500}]},
    )
    reported = types.SimpleNamespace(settings=settings(scale=1), fact=lambda *_: None)
    with pytest.raises(ValueError, match=r"steps \[0, 500\], ended at 2999"):
        training._train_and_score(reported, run, tmp_path)
    (first, stop_after), (second, _) = taken
    assert first == second and stop_after == 500
    config = command_line.parse(first[3:])
    assert (config.mode, config.reader) == ("train", "memory")
    assert (config.base_channels, config.discriminator_channels) == (channels, 64)
    assert (config.stages, config.precision) == (stages, "bfloat16")
    assert (config.image_size, config.batch_size) == ("32x16", 16)
    assert (config.coarse_steps, config.refine_steps) == (2000, 1000)
    assert (config.steps_per_call, config.picture_every) == (20, 0)

"""How fast PG2 in PyTorch is on the same device: eager and compiled, in TF32 and by
autocast in bfloat16."""

import dataclasses
import importlib
import importlib.util
import itertools
from typing import Any

import jax

from experiments.benchmark import jax_peer
from experiments.benchmark.accelerator import our_speed, plan, rates
from experiments.benchmark.accelerator.report import Report
from experiments.train import training_steps
from pg2_jax import inputs
from pg2_jax.architecture import Architecture


def measure(settings: plan.Settings, report: Report) -> None:
    """Measures eager first: compiling takes long, and may fail."""
    if importlib.util.find_spec("torch") is None:
        raise plan.LeftOut("PyTorch is not installed: pip install 'pg2_jax[benchmark]'")
    torch_peer: Any = importlib.import_module("experiments.benchmark.torch_peer")
    platform = settings.facts.get("machine", {}).get("platform", "cpu")
    if platform == "tpu":
        raise plan.LeftOut("PyTorch has no TPU here")
    if platform == "gpu" and torch_peer.DEVICE.type != "cuda":
        raise ValueError("PyTorch sees no GPU, jax does: install PyTorch for CUDA")
    architecture = jax_peer.paper_architecture(settings.scale, settings.image_size)
    state = jax_peer.first_state(architecture)
    noise = training_steps.random_batch(settings.batch_size, *settings.image_size)
    seen = inputs.prepare(jax.device_put(noise), architecture)
    flops = jax_peer.task_flops(architecture, settings.batch_size)
    for compiled, precision in itertools.product((False, True), rates.TRAINED):
        with report.attempt(f"{'compiled' if compiled else 'eager'}, {precision}"):
            own = dataclasses.replace(architecture, precision=precision)
            peer = torch_peer.Peer(state, seen, own, compiled=compiled)
            _measure(settings, report, torch_peer, peer, own, flops)


def _measure(
    settings: plan.Settings,
    report: Report,
    torch_peer: Any,
    peer: Any,
    architecture: Architecture,
    flops: dict[str, float],
) -> None:
    batch_size, own = settings.batch_size, architecture.precision
    program = "torch.compile" if peer.compiled else "eager"
    precision, seconds = torch_peer.precision(architecture), {}
    for task, call in peer.calls.items():
        torch_peer.forget_peak()
        seconds[task] = once = rates.timed(call, settings, wait=torch_peer.wait)
        ours = settings.facts.get("our_speed", {}).get(our_speed.fact_name(task, own))
        report.row(
            our_speed.TABLE,
            program=program,
            task=task,
            batch=batch_size,
            precision=precision,
            ms=1000 * once,
            images_a_second=batch_size / once,
            share_of_matrix_product=rates.share(settings.facts, own, flops[task], once),
            memory_GiB=torch_peer.peak_gib(),
            **{"ours / PyTorch": ours and ours / 1000 / once},
        )
    first, second = (seconds[task] for task in jax_peer.TASKS[:2])
    cells = {"program": f"PyTorch, {program}", "precision": precision}
    row = rates.schedule("Market-1501", (first, second), batch_size, **cells)
    report.row(our_speed.SCHEDULES, **row)

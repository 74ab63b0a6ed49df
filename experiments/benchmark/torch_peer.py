"""PG2 in PyTorch, to measure against: the paper's networks, losses and optimizers.

It starts from the weights of ours and computes the same numbers, in the way that is
fast in PyTorch: channels_last, fused Adam, the 1x1 convolutions before enlarging. It
takes a GPU if there is one, in TF32 as ours, or in bfloat16 by autocast.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch.nn import functional

from experiments.benchmark import jax_peer
from experiments.config import Config
from experiments.train import training_steps
from pg2_jax import inputs
from pg2_jax.architecture import Architecture

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
_NAME = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "the CPU"
DESCRIPTION = f"{torch.__version__} on {_NAME}"
torch.set_float32_matmul_precision("high")
torch.backends.cudnn.allow_tf32 = True
torch.backends.cudnn.benchmark = True  # tries its algorithms, as XLA does
_CHANNELS_LAST = {"memory_format": torch.channels_last}


class _Network(torch.nn.Module):
    """A network whose weights have the names that they have in ours."""

    def __init__(self, params: Any, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        for path, value in jax.tree_util.tree_leaves_with_path(params):
            name = "_".join(key.key for key in path)
            tensor = torch.tensor(np.array(value))
            if tensor.ndim == 4:
                tensor = tensor.permute(3, 2, 0, 1).contiguous(**_CHANNELS_LAST)
            elif tensor.ndim == 2:
                tensor = tensor.T.contiguous()
            self.register_parameter(name, torch.nn.Parameter(tensor.to(DEVICE)))

    def conv(self, x: torch.Tensor, name: str, stride: int = 1) -> torch.Tensor:
        """[B, C, H, W] -> [B, D, H / stride, W / stride], sizes rounded up."""
        weight, bias = getattr(self, f"{name}_kernel"), getattr(self, f"{name}_bias")
        size = weight.shape[-1]
        if stride == 1:
            return functional.conv2d(x, weight, bias, padding=size // 2)
        # SAME of an even size and stride 2: one row more below than above.
        before = (size - 2) // 2
        x = functional.pad(x, (before, size - 2 - before) * 2)
        return functional.conv2d(x, weight, bias, stride=2)

    def dense(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """[B, C] or [B, C, H, W] -> [B, D]."""
        if x.ndim == 4:  # rows, columns, channels, as ours are numbered
            x = x.permute(0, 2, 3, 1).flatten(1)
        weight, bias = getattr(self, f"{name}_kernel"), getattr(self, f"{name}_bias")
        return functional.linear(x, weight, bias)

    def block(self, x: torch.Tensor, name: str) -> torch.Tensor:
        x = functional.relu(self.conv(x, f"{name}_conv0"))
        return functional.relu(self.conv(x, f"{name}_conv1"))


class Coarse(_Network):
    """G1."""

    def forward(self, source: torch.Tensor, pose: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] and heat maps [B, 18, H, W] -> [B, 3, H, W]."""
        blocks = self.architecture.blocks
        x = functional.relu(self.conv(torch.cat([source, pose], 1), "stem"))
        skips = []
        for i in range(blocks):
            if i:
                x = functional.relu(self.conv(x, f"halve{i - 1}", stride=2))
            x = x + self.block(x, f"encode{i}_convolutions")
            skips.append(x)
        batch, _, height, width = x.shape
        code = self.dense(self.dense(x, "to_code"), "from_code")
        x = code.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
        for i in reversed(range(blocks)):
            x = torch.cat([x, skips[i]], 1)
            x = x + self.block(x, f"decode{i}_convolutions")
            if i:
                x = functional.relu(self.conv(x, f"narrow{i}"))
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv(x, "rgb")


class Refine(_Network):
    """G2; the output is G1's image plus the difference map."""

    def forward(self, coarse: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """Two images [B, 3, H, W] -> one."""
        blocks = self.architecture.blocks - 2
        x = functional.relu(self.conv(torch.cat([coarse, source], 1), "stem"))
        skips = []
        for i in range(blocks):
            x = self.block(x, f"encode{i}")
            skips.append(x)
            if i < blocks - 1:
                x = functional.relu(self.conv(x, f"halve{i}", stride=2))
        for i in reversed(range(blocks)):
            x = self.block(torch.cat([x, skips[i]], 1), f"decode{i}")
            if i:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return coarse + self.conv(x, "rgb")


class Discriminator(_Network):
    """D on pairs; batch norm by the statistics of the batch."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pairs [B, 6, H, W] -> logits [B]."""
        x = images
        for i in range(self.architecture.blocks - 1):
            x = self.conv(x, f"conv{i}", stride=2)
            if i:
                scale, offset = (
                    getattr(self, f"norm{i}_{n}") for n in ("scale", "offset")
                )
                x = functional.batch_norm(x, None, None, scale, offset, training=True)
            x = functional.leaky_relu(x, 0.2)
        return self.dense(x, "logit")[:, 0]


def precision(config: Config) -> str:
    """What PyTorch multiplies in, in words."""
    if DEVICE.type != "cuda":
        return "float32"  # which is faster on a CPU
    return "bfloat16 by autocast" if config.precision == "bfloat16" else "TF32"


class Peer:
    """As `jax_peer.Peer`, from its weights and batch, on inputs that are at hand."""

    def __init__(self, config: Config, *, compiled: bool):
        architecture = training_steps.architecture_of(config)
        state = training_steps.first_state(config)
        networks = (
            Coarse(state.coarse.params, architecture),
            Refine(state.refine.params, architecture),
            Discriminator(state.discriminator.params, architecture),
        )
        self._discriminator = networks[2]
        wrap: Callable = torch.compile if compiled else lambda network: network
        self._draw, self._improve, self._judge = map(wrap, networks)
        rate, betas = config.learning_rate, (0.5, 0.999)
        self._optimizers = [
            torch.optim.Adam(network.parameters(), rate, betas, fused=True)
            for network in networks
        ]
        self._l1_weight = config.l1_weight
        batch = jax.device_put(jax_peer.random_batch(config))
        seen = inputs.prepare(batch, architecture)
        self._source, self._target, self._pose, self._mask = (
            torch.tensor(np.array(seen[name]), device=DEVICE)
            .permute(0, 3, 1, 2)
            .contiguous(**_CHANNELS_LAST)
            for name in ("source", "target", "pose", "mask")
        )
        self._halved = precision(config).startswith("bfloat16")
        self._matrix = torch.ones([jax_peer.side_of_product(config)] * 2, device=DEVICE)
        if DEVICE.type == "cuda":  # What a program before took does not count.
            torch.cuda.reset_peak_memory_stats()

    def take(self, task: str) -> torch.Tensor:
        """As `jax_peer.Peer.take`."""
        if task == jax_peer.PRODUCT:
            return self._matrix @ self._matrix
        tasks = (self._coarse_step, self._adversarial_step, self._generate)
        with torch.autocast("cuda", torch.bfloat16, self._halved):
            return tasks[jax_peer.TASKS.index(task)]()

    @staticmethod
    def wait(result: torch.Tensor) -> torch.Tensor:
        """Waits for what the device has been given."""
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        return result

    def memory_gib(self, task: str) -> float | None:
        """The most that tensors have taken on a GPU since this was last asked."""
        if DEVICE.type != "cuda":
            return None
        peak = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
        return peak

    def _l1(self, drawn: torch.Tensor) -> torch.Tensor:
        return ((drawn - self._target).abs() * (1 + self._mask)).mean()

    def _update(self, network: int, loss: torch.Tensor) -> None:
        loss.backward()
        self._optimizers[network].step()
        self._optimizers[network].zero_grad()

    def _coarse_step(self) -> torch.Tensor:
        loss = self._l1(self._draw(self._source, self._pose))
        self._update(0, loss)
        return loss.detach()

    def _adversarial_step(self) -> torch.Tensor:
        with torch.no_grad():
            coarse = self._draw(self._source, self._pose)
        self._discriminator.requires_grad_(False)
        drawn = self._improve(coarse, self._source)
        _, fake = self._logits(drawn)
        loss = _called(fake, 1) + self._l1_weight * self._l1(drawn)
        self._update(1, loss)
        self._discriminator.requires_grad_(True)
        with torch.no_grad():
            drawn = self._improve(coarse, self._source)
        real, fake = self._logits(drawn)
        self._update(2, _called(real, 1) + _called(fake, 0))
        return loss.detach()

    def _generate(self) -> torch.Tensor:
        """G2's images [B, 3, H, W]."""
        with torch.no_grad():
            return self._improve(self._draw(self._source, self._pose), self._source)

    def _logits(self, drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """D's verdict on the target and on what was drawn, [B] each."""
        pairs = [torch.cat([self._source, image], 1) for image in (self._target, drawn)]
        real, fake = self._judge(torch.cat(pairs)).chunk(2)
        return real, fake


def _called(logits: torch.Tensor, label: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(
        logits, torch.full_like(logits, label)
    )


PROGRAMS = {
    "PyTorch": functools.partial(Peer, compiled=False),
    "PyTorch, compiled": functools.partial(Peer, compiled=True),
}

"""What values of a config make no sense, alone or together.

Free of jax, like the config itself.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

from pg2_jax import files

if TYPE_CHECKING:
    from experiments.config import Config

_NEEDED = {
    "train": ("workdir", "data_dir"),
    "evaluate": ("workdir", "data_dir"),
    "table1": ("workdir", "data_dir"),
    "generate": ("workdir", "source_image", "pose", "output"),
    "demo": ("workdir",),
    "import_checkpoint": ("workdir", "tf1_checkpoint"),
}
_FOLDERS = ("generated_dir", "target_dir")
_TWO_STAGE_ONLY = (
    "critic_sees_coarse",
    "refine_sees_pose",
    "refine_output",
    "coarse_from",
)


def check(config: "Config") -> None:
    """Checks every field of a new config.

    Raises:
        ValueError: naming the flag, the value and the rule.
    """
    _check_values(config)
    _check_mode(config)
    _check_folders(config)
    _check_variant(config)


def _check_values(config: "Config") -> None:
    """Checks each value on its own, by the rules of its option."""
    for field in dataclasses.fields(config):
        rules, value = field.metadata, getattr(config, field.name)
        if rules["choices"] and value not in rules["choices"]:
            raise ValueError(
                f"--{field.name} must be one of {', '.join(rules['choices'])}; got "
                f"{value!r}."
            )
        minimum, above = rules["minimum"], rules["above"]
        if minimum is not None:
            text = f"at least {minimum}" if minimum else "0 or more"
            _require(value >= minimum, config, field.name, text)
        if above is not None:
            _require(value > above, config, field.name, f"above {above}")
    for name in ("image_size", "pose_size"):
        if getattr(config, name):
            files.parse_size(name, getattr(config, name))
    _require(config.seed < 2**32, config, "seed", "below 2**32")
    _require(config.port < 2**16, config, "port", "below 65536")


def _check_mode(config: "Config") -> None:
    """Checks that the mode has what it needs, and nothing that is another mode's."""
    needed = _NEEDED[config.mode]
    if config.mode == "evaluate" and (config.generated_dir or config.target_dir):
        needed = ("workdir", *_FOLDERS)
    for name in needed:
        if not getattr(config, name):
            raise ValueError(f"--{name} is required with --mode={config.mode}.")
    for field in dataclasses.fields(config):
        modes = field.metadata["modes"]
        if modes and config.mode not in modes:
            whose = " and ".join(f"--mode={mode}" for mode in modes)
            _require_defaults(config, (field.name,), f"is for {whose}")


def _check_folders(config: "Config") -> None:
    """Checks that flags of a folder and flags of a checkpoint do not meet."""
    if config.generated_dir:
        _require_defaults(
            config,
            ("data_dir", "checkpoint_step", "max_test_pairs"),
            "has no meaning with --generated_dir, which scores a folder of images",
        )
    else:
        _require_defaults(config, ("annotations", "match"), "needs --generated_dir")


def _check_variant(config: "Config") -> None:
    """Checks that the parts of the networks that flags speak of are there."""
    for name in ("critic_sees_coarse", "adversarial_on_source"):
        if getattr(config, name) and config.critic_input != "triplet":
            raise ValueError(f"--{name} needs --critic_input=triplet.")
    if config.stages != "two_stage":
        _require_defaults(
            config,
            _TWO_STAGE_ONLY,
            f"needs --stages=two_stage, got --stages={config.stages}",
        )


def _require(holds: bool, config: "Config", name: str, rule: str) -> None:
    if not holds:
        raise ValueError(f"--{name} must be {rule}, got {getattr(config, name)}.")


def _require_defaults(config: "Config", names: tuple[str, ...], why: str) -> None:
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(config)}
    for name in names:
        if getattr(config, name) != defaults[name]:
            raise ValueError(f"--{name}={getattr(config, name)} {why}.")

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
    "generate": ("workdir", "source_image", "output"),
    "export": ("workdir", "output"),
    "report": ("workdirs", "output"),
    "demo": ("workdir",),
    "user_study": ("workdir", "data_dir", "output"),
    "import_checkpoint": ("workdir", "tf1_checkpoint"),
}
_FOLDERS = ("generated_dir", "target_dir")
# What a study is made of; its answers need none of it.
_STUDY = (
    "workdir",
    "data_dir",
    *_FOLDERS,
    "study_images",
    "study_practice",
    "study_seconds",
)
_TWO_STAGE_ONLY = (
    "discriminator_sees_coarse",
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
    _check_processes(config)
    _check_folders(config)
    _check_poses(config)
    _check_study(config)
    _check_variant(config)
    _check_training(config)
    _check_calls(config)


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
    for name in ("ema_decay", "validation_share"):
        _require(getattr(config, name) < 1, config, name, "below 1")


def _check_mode(config: "Config") -> None:
    """Checks that the mode has what it needs, and nothing that is another mode's."""
    for name in _needed(config):
        if not getattr(config, name):
            raise ValueError(f"--{name} is required with --mode={config.mode}.")
    for field in dataclasses.fields(config):
        modes = field.metadata["modes"]
        if modes and config.mode not in modes:
            whose = " and ".join(f"--mode={mode}" for mode in modes)
            _require_defaults(config, (field.name,), f"is for {whose}")


def _needed(config: "Config") -> tuple[str, ...]:
    """The flags that a mode cannot do without."""
    if config.answers and config.mode == "user_study":
        return ("output",)
    if config.generated_dir or config.target_dir:
        whole = {"evaluate": "workdir", "user_study": "output"}
        if config.mode in whole:
            return (whole[config.mode], *_FOLDERS)
    return _NEEDED[config.mode]


def _check_processes(config: "Config") -> None:
    """Checks that a run of several processes can meet."""
    address = config.coordinator_address
    if address in ("", "auto"):
        _require_defaults(
            config,
            ("num_processes", "process_id"),
            "needs --coordinator_address=HOST:PORT",
        )
    if address:
        why = "is for one process, without --coordinator_address"
        _require_defaults(config, ("dry_run",), why)
    if address in ("", "auto"):
        return
    host, _, port = address.rpartition(":")
    _require(
        bool(host) and port.isdecimal(), config, "coordinator_address", "HOST:PORT"
    )
    _require(
        config.process_id < config.num_processes,
        config,
        "process_id",
        f"below --num_processes={config.num_processes}",
    )


def _check_folders(config: "Config") -> None:
    """Checks that flags of a folder and flags of a checkpoint do not meet."""
    if config.generated_dir:
        _require_defaults(
            config,
            (
                *("data_dir", "checkpoint", "checkpoint_step", "weights"),
                *("max_test_pairs", "save_images", "coordinator_address"),
            ),
            "has no meaning with --generated_dir, a folder of finished images",
        )
    else:
        names = ("annotations", "match", "generated_annotations")
        _require_defaults(config, names, "needs --generated_dir")
    if config.generated_dir and config.fid_reference == "train":
        raise ValueError(
            "--fid_reference=train means the photos of --data_dir, which has no "
            "meaning with --generated_dir; give the path of a data set or of photos."
        )
    if config.fid_reference and not config.inception:
        raise ValueError(f"--fid_reference={config.fid_reference} needs --inception.")
    if not config.estimator:
        _require_defaults(config, ("model",), "needs --estimator")
    elif config.generated_annotations:
        raise ValueError(
            "--estimator and --generated_annotations are two sources of the same "
            "keypoints; give one."
        )
    if config.generated_annotations and not config.annotations:
        raise ValueError(
            "--generated_annotations needs --annotations, the keypoints of the targets "
            "to compare with."
        )


def _check_study(config: "Config") -> None:
    """Checks that a user study has images that count, and answers nothing beside."""
    if config.answers:
        _require_defaults(
            config, _STUDY, "has no meaning with --answers, whose study is in --output"
        )
    if config.mode == "user_study" and config.generated_dir:
        _require_defaults(
            config,
            ("workdir",),
            "has no meaning with --generated_dir; the study goes to --output",
        )
    # So that a real and a generated image are left, whatever the order.
    _require(
        config.study_practice < config.study_images,
        config,
        "study_practice",
        f"below --study_images={config.study_images}",
    )


def _check_poses(config: "Config") -> None:
    """Checks that there is either one pose or several."""
    if config.mode != "generate":
        return
    if bool(config.pose) == bool(config.poses):
        raise ValueError(
            "--mode=generate takes either --pose, one pose, or --poses, several; got "
            + ("both." if config.pose else "neither.")
        )
    if not config.poses:
        _require_defaults(config, ("between",), "needs --poses")


def _check_variant(config: "Config") -> None:
    """Checks that the parts of the networks that flags speak of are there."""
    for name in ("discriminator_sees_coarse", "adversarial_on_source"):
        if getattr(config, name) and config.discriminator_input != "triplet":
            raise ValueError(f"--{name} needs --discriminator_input=triplet.")
    if config.stages != "two_stage":
        _require_defaults(
            config,
            _TWO_STAGE_ONLY,
            f"needs --stages=two_stage, got --stages={config.stages}",
        )


def _check_training(config: "Config") -> None:
    """Checks flags of training that need one another, or exclude one another."""
    if config.eval_every and not config.validation_share:
        raise ValueError(
            f"--eval_every={config.eval_every} needs --validation_share, such as 0.05: "
            "pairs of people who are left out of training. The test pairs must not "
            "choose a model."
        )
    if not config.eval_every:
        _require_defaults(config, ("early_stop_evals",), "needs --eval_every")
    if config.checkpoint_step >= 0:
        _require_defaults(config, ("checkpoint",), "contradicts --checkpoint_step")
    if config.coarse_from:
        _require_defaults(config, ("init_from",), "has no meaning with --coarse_from")


def _check_calls(config: "Config") -> None:
    """Checks that what is due between steps is not due within a call, and that the
    steps to profile are there."""
    for name in ("log_every", "picture_every", "eval_every", "checkpoint_every"):
        if getattr(config, name) % config.steps_per_call:
            raise ValueError(
                f"--{name}={getattr(config, name)} must be a multiple of "
                f"--steps_per_call={config.steps_per_call}, because nothing can be "
                "done between the steps of a call."
            )
    if config.profile_steps:
        begin, end = files.parse_range("profile_steps", config.profile_steps)
        if not begin < end <= config.total_steps:
            raise ValueError(
                f"--profile_steps={config.profile_steps} must end after it begins, and "
                f"by the last step, {config.total_steps}."
            )


def _require(holds: bool, config: "Config", name: str, rule: str) -> None:
    if not holds:
        raise ValueError(f"--{name} must be {rule}, got {getattr(config, name)}.")


def _require_defaults(config: "Config", names: tuple[str, ...], why: str) -> None:
    defaults: dict[str, Any] = {f.name: f.default for f in dataclasses.fields(config)}
    for name in names:
        if getattr(config, name) != defaults[name]:
            raise ValueError(f"--{name}={getattr(config, name)} {why}.")

"""Models on the Hugging Face Hub: one file of weights, the config and a model card."""

import importlib.util
import json
import pathlib
from types import ModuleType
from typing import Any

from pg2_jax import errors, files
from pg2_jax.checkpoint.run_folder import HUB
from pg2_jax.inference import exported_model

FILE = "model.safetensors"
_TITLES = {
    "ssim_pg2": "SSIM (PG2's)",
    "masked_ssim_pg2": "mask-SSIM (PG2's)",
    "l1": "L1",
    "body_l1": "L1 over the body",
    "inception_score": "Inception Score",
    "fid_tf": "FID",
}
_SETTINGS = ("image_height", "image_width", "stages", "pose_embedding", "base_channels")


def local(name: str) -> str:
    """The path of a model: any as it is, but of one on the Hub, "hf://user/repository"
    with "@revision" if wanted, that of its file, which is downloaded once."""
    if not name.startswith(HUB):
        return name
    library = _library()
    repository, _, revision = name.removeprefix(HUB).partition("@")
    try:
        return library.hf_hub_download(repository, FILE, revision=revision or None)
    except Exception as error:
        # What its network library raises is neither OSError nor ValueError.
        raise ValueError(
            f"{name}: {FILE} cannot be fetched: {_first_line(error)} Is the name "
            "right, is there internet, and, for a private model, are you logged in "
            "(hf auth login)?"
        ) from error


def push(
    repository: str,
    file: pathlib.Path,
    config: dict[str, Any],
    step: int,
    metrics: files.PathLike | None = None,
    *,
    private: bool = False,
) -> str:
    """Uploads a file of `exported_model.write`, named `FILE` and alone in its folder,
    with what is written beside it: the config, the scores of a metrics.json, and a
    card. Returns the address of the repository, which is made if there is none."""
    library, folder = _library(), file.parent
    scores = "Not measured."
    if metrics is not None:
        scores, report = _scores(metrics, step)
        (folder / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    public = exported_model.public_config(config)
    (folder / "config.json").write_text(json.dumps(public, indent=2) + "\n")
    settings = [f"| `{n}` | {config[n]} |" for n in _SETTINGS if n in config]
    card = pathlib.Path(__file__).with_name("model_card.md").read_text("utf-8")
    card = card.format(
        repository=repository,
        size=f"{config['image_height']}x{config['image_width']}",
        step=step,
        settings="\n".join(settings),
        scores=scores,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    api = library.HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        said = f"Step {step}"
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=said)
    except Exception as error:
        raise ValueError(
            f"hf://{repository}: cannot be uploaded: {_first_line(error)} Is "
            "there internet, and are you logged in (hf auth login)?"
        ) from error
    return f"https://huggingface.co/{repository}"


def _scores(path: files.PathLike, step: int) -> tuple[str, dict[str, Any]]:
    """What a card says of a metrics.json, and its content."""
    try:
        report = json.loads(pathlib.Path(path).expanduser().read_text("utf-8"))
        kinds = report["metrics"]
        rows = [["metric", *kinds], ["---", *["---:"] * len(kinds)]]
        for name, title in _TITLES.items():
            means = [records.get(name, {}).get("mean") for records in kinds.values()]
            if any(value is not None for value in means):
                cells = ["-" if value is None else f"{value:.3f}" for value in means]
                rows.append([f"{title}, `{name}`", *cells])
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        other = report["step"] != step
        note = f" They are those of step {report['step']:,}." if other else ""
        pairs = f"{report['pairs']:,} test pairs"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        rule = f": not the metrics.json of an evaluation: {error}."
        raise errors.ArgumentError("metrics", path, rule) from error
    return f"Means over {pairs} (`metrics.json`).{note}\n\n{table}", report


def _library() -> ModuleType:
    if not importlib.util.find_spec("huggingface_hub"):
        raise ValueError(
            "Models on the Hugging Face Hub need huggingface_hub: pip install "
            "'pg2_jax[hub]' (in a checkout: pip install '.[hub]')."
        )
    import huggingface_hub

    return huggingface_hub


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith(".") else f"{line}."

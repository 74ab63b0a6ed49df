"""--mode=table1: trains and scores every row of the paper's Table 1 on any data set."""

import dataclasses
import pathlib
import time
from typing import Any, NamedTuple

from experiments import config_compatibility, results
from experiments.config import Config
from experiments.evaluate import evaluate
from experiments.table1 import output
from experiments.train import train
from pg2_jax import errors, sharding
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.input_pipeline import pair_reader


class Row(NamedTuple):
    """One model of the table."""

    title: str  # in the paper
    changes: dict[str, Any]  # to the config of the full model
    image: str = "coarse"  # the one of its images that is scored


_L1_ALONE = {"stages": "coarse", "pose_mask_loss": False}
_PLUS = {
    "stages": "one_network",
    "coarse_network": "part_transfer",
    "discriminator": "patch",
    # With these D neither wins nor is ignored.
    "adversarial_weight": 0.5,
    "feature_matching_weight": 3.0,
    "r1_weight": 0.003,
}
# In the order of the paper.
ROWS = {
    "ce": Row("G1-CE-L1", {**_L1_ALONE, "pose_embedding": "coordinate"}),
    "hme": Row("G1-HME-L1", {**_L1_ALONE, "pose_embedding": "encoder"}),
    "l1": Row("G1-L1", _L1_ALONE),
    "pose_mask_loss": Row("G1-poseMaskLoss", {"stages": "coarse"}),
    "one_stage": Row("G1+D", {"stages": "one_stage"}),
    "full": Row("G1+G2+D", {}, "refined"),
    # What the paper compares with (its reference 36) is given a word for the view in
    # place of the pose; here the same networks see as little.
    "view": Row("view word (after VariGAN)", {"pose_embedding": "view"}, "refined"),
    # Not of the paper: the source's own pixels, moved, by one network.
    "plus": Row("pg2plus", _PLUS, "generated"),
}
_OPTIONAL = ("view", "plus")
# Flags that the mode does not take, and why.
_NOT_TAKEN = {
    **dict.fromkeys(
        ("stages", "pose_embedding", "pose_mask_loss", "coarse_from", "init_from"),
        "with --mode=table1 the rows decide it; leave it out, or choose --rows.",
    ),
    **dict.fromkeys(
        ("checkpoint", "checkpoint_step", "weights"),
        "--mode=table1 always scores the newest checkpoint as a run generates; leave "
        "it out.",
    ),
}


def table1(config: Config) -> int | None:
    """Trains what is not trained yet, scores it, and writes table.md, table.json and
    figure4.png; returns the number of the signal that stopped it, or None when all is
    done. The config is that of the full model; the workdir also holds the runs."""
    config = config_compatibility.with_reader(config, _on_disk(config).get("config"))
    dataset = pair_reader.PairDataset(
        config.data_dir,
        reader=config.reader,
        reader_memory_gib=config.reader_memory_gib,
    )
    config = config.with_size(dataset.height, dataset.width)
    runs = _runs(config)
    _check_before_work(config, dataset, runs)
    folder, content = pathlib.Path(config.workdir), _opened(config, dataset)
    for name, seed in runs:
        # Whether its networks can be built, and its run, if any, is of it.
        row = row_config(config, name, seed)
        with errors.said_of(f"row {name} (see --rows)"):
            restore.architecture_of(row.to_json())
        _, stored, row = _begun(row)
        config_compatibility.check_unchanged(stored, row, dataset.metadata)
    # This binds the folder to the settings and the data.
    output.write(folder, content)
    for number, (name, seed) in enumerate(runs, start=1):
        print(f"\n== {ROWS[name].title}, seed {seed}: {number} of {len(runs)}")
        try:
            stopped_by = _finish(config, content, name, seed)
        except KeyboardInterrupt:
            print(f"{config.workdir}: stopped; the same command resumes it.")
            raise
        if stopped_by is not None:
            return stopped_by
    output.draw_figure(config, dataset, content["rows"].values())
    output.show(folder)
    return None


def row_config(config: Config, name: str, seed: int) -> Config:
    """The config of one row's run. The paper gives no number of steps for G1+D: it is
    trained for as many as the full model's two stages together."""

    def scaled(steps: int) -> int:
        return max(1, round(steps * config.steps_scale)) if steps else 0

    changes = dict(ROWS[name].changes)
    if changes.get("stages", "two_stage") != "two_stage":
        changes |= {"discriminator_sees_coarse": False, "refine_sees_pose": False}
        changes["refine_output"] = "difference"
    more = config.refine_steps if name == "one_stage" else 0
    return dataclasses.replace(
        config,
        mode="train",
        workdir=str(pathlib.Path(config.workdir) / f"{name}_seed{seed}"),
        seed=seed,
        coarse_steps=scaled(config.coarse_steps + more),
        refine_steps=scaled(config.refine_steps),
        steps_scale=1.0,
        rows="",
        seeds="",
        inception="",
        **changes,
    )


def _runs(config: Config) -> list[tuple[str, int]]:
    """The rows and seeds that the flags ask for, in the order of the paper."""
    wanted = [name.strip() for name in config.rows.split(",")] if config.rows else []
    for name in wanted:
        if name not in ROWS:
            raise ValueError(
                f"--rows={config.rows}: {name!r} is not one of {', '.join(ROWS)}."
            )
    wanted = wanted or [name for name in ROWS if name not in _OPTIONAL]
    try:
        seeds = [int(word) for word in config.seeds.split(",")] if config.seeds else []
    except ValueError as error:
        raise ValueError(f"--seeds={config.seeds} must be like 0,1,2.") from error
    if len(set(seeds)) != len(seeds) or any(not 0 <= s < 2**32 for s in seeds):
        raise ValueError(
            f"--seeds={config.seeds} must be different numbers from 0 to 2**32 - 1."
        )
    # Seed by seed, so that a whole table is there early.
    return [(n, s) for s in seeds or [config.seed] for n in ROWS if n in wanted]


def _check_before_work(
    config: Config, dataset: pair_reader.PairDataset, runs: list[tuple[str, int]]
) -> None:
    """Finds what would stop a later row, before hours go into the first."""
    for name, why in _NOT_TAKEN.items():
        value = getattr(config, name)
        if value != getattr(Config, name):
            raise ValueError(f"--{name}={value}: {why}")
    if config.coarse_steps < 1:
        raise ValueError("--coarse_steps=0: with --mode=table1 it must be 1 or more.")
    if run_folder.folder(config.workdir).exists():
        raise ValueError(
            f"--workdir={config.workdir} holds a single run; choose another folder for "
            "the table."
        )
    sharding.check_batch_size(config.batch_size, config.grad_accumulation)
    for split in ("train", "test"):
        dataset.count(split)
        if any(name == "view" for name, _ in runs):
            dataset.require_views(split)


def _begun(config: Config) -> tuple[int, dict[str, Any] | None, Config]:
    """How many steps a row's run has taken, the config that it has stored, if any, and
    the config with the stage I that it has begun with."""
    step, stored = config_compatibility.newest(config) or (0, None)
    coarse_from = (stored or {}).get("coarse_from", "")
    return step, stored, dataclasses.replace(config, coarse_from=coarse_from)


def _opened(config: Config, dataset: pair_reader.PairDataset) -> dict[str, Any]:
    """The content of table.json, new or earlier, of the same data set and settings."""
    new = {"config": config.to_json(), "data": dataset.metadata}
    old = _on_disk(config)
    if not old:
        return {**new, "rows": {}}
    if old["data"] != new["data"]:
        raise ValueError(
            f"--workdir={config.workdir} holds the table of another data set, "
            f"{old['config']['data_dir']}, not of --data_dir={config.data_dir}; choose "
            "another workdir."
        )
    stored = run_folder.with_current_names(old["config"])
    changed = config_compatibility.differences(
        stored, dataclasses.replace(config, seed=stored["seed"])
    )
    for name in ("refine_steps", "steps_scale", "max_test_pairs"):
        was, now = stored[name], getattr(config, name)
        if was != now and not any(f"--{name}:" in line for line in changed):
            changed.append(f"--{name}: {was} in the table, {now} now")
    said = f"--workdir={config.workdir} holds a table with other settings:"
    config_compatibility.refuse(said, changed, config_compatibility.RESUME)
    return {**old, **new}


def _on_disk(config: Config) -> dict[str, Any]:
    path = pathlib.Path(config.workdir, "table.json")
    return results.read_json(path) if path.is_file() else {}


def _finish(table: Config, content: dict[str, Any], name: str, seed: int) -> int | None:
    """Trains and scores what is missing of a row, and adds it to the content."""
    row = ROWS[name]
    first, stored, config = _begun(row_config(table, name, seed))
    if str(seed) in content["rows"].get(name, {}).get("seeds", {}):
        print(f"{config.workdir} is finished.")
        return None
    if name == "full" and not stored:
        twin = row_config(table, "pose_mask_loss", seed)
        if _begun(twin)[0] >= config.coarse_steps:
            # Its own stage I would compute the same again.
            config = dataclasses.replace(config, coarse_from=twin.workdir)
    if config.coarse_from:
        first = max(first, config.coarse_steps)
    begin = time.monotonic()
    stopped_by = train.train(config)
    if stopped_by is not None:
        return stopped_by
    seconds = time.monotonic() - begin
    scored = dataclasses.replace(
        config,
        mode="evaluate",
        lpips="",  # The table has no column for it.
        inception=table.inception,
    )
    report = evaluate.score_run(scored)
    run = {
        "run": pathlib.Path(config.workdir).name,
        "step": report["step"],
        "begun_at_step": first,
        "training_seconds": round(seconds, 1),
        "metrics": report["metrics"][row.image],
    }
    # Another process may have added runs since.
    rows = _on_disk(table).get("rows", {})
    empty = {"title": row.title, "image": row.image, "seeds": {}}
    rows.setdefault(name, empty)["seeds"][str(seed)] = run
    content |= {
        "rows": {n: rows[n] for n in ROWS if n in rows},
        "pairs": report["pairs"],
        "copy of source": report["metrics"][evaluate.COPY],
        "definitions": report["definitions"],
    }
    output.write(pathlib.Path(table.workdir), content)
    return None

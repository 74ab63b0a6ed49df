"""What --mode=table1 leaves: table.json, table.md, figure4.png and a printed table."""

import pathlib
import statistics
from collections.abc import Iterable
from typing import Any

import rich.console
import rich.markdown

from experiments import pictures, results
from experiments.config import Config
from experiments.evaluate import evaluate
from pg2_jax import files
from pg2_jax.errors import counted
from pg2_jax.inference import pose_transfer
from pg2_jax.input_pipeline import pair_reader

_NAMES = {
    "ssim_pg2": "SSIM",
    "masked_ssim_pg2": "mask-SSIM",
    "l1": "L1",
    "body_l1": "body L1",
}
# The paper's other columns, which --inception adds.
_OF_INCEPTION = {"inception_score": "IS", "masked_inception_score": "mask-IS"}


def write(folder: pathlib.Path, content: dict[str, Any]) -> None:
    """Writes table.json and, as soon as there is a row, table.md."""
    folder.mkdir(parents=True, exist_ok=True)
    titles = _names(content).values()
    lacking = [title for title in _OF_INCEPTION.values() if title not in titles]
    why = dict.fromkeys(lacking, "needs --inception=PATH")
    whole = {**content, "not_computed": why, **results.provenance()}
    results.write_json(folder / "table.json", whole)
    if content["rows"]:
        files.write_text(folder / "table.md", _markdown(whole))


def show(folder: pathlib.Path) -> None:
    """Prints the table and where it lies."""
    table = (folder / "table.md").read_text(encoding="utf-8")
    rich.console.Console().print(rich.markdown.Markdown(table))
    names = ("table.md", "table.json", "figure4.png")
    print("Wrote " + ", ".join(str(folder / name) for name in names))


def draw_figure(
    config: Config, dataset: pair_reader.PairDataset, rows: Iterable[dict[str, Any]]
) -> None:
    """Writes the paper's Figure 4: one test pair in a row, one model of the table in a
    column, of its first seed. The pairs are those that an evaluation shows."""
    shown = config.picture_pairs, config.max_test_pairs
    batch = pictures.spread_pairs(dataset, *shown)
    folder = pathlib.Path(config.workdir)
    photos, keypoints = batch["source_image"], batch["target_keypoints"]
    generated = {}
    for row in rows:
        run = next(iter(row["seeds"].values()))
        model = pose_transfer.PoseTransfer.restore(str(folder / run["run"]))
        images = model.batch(photos, keypoints, source_poses=batch["source_keypoints"])
        generated[row["title"]] = images.image
    results.write_picture(folder / "figure4.png", pictures.compare(batch, generated))


def _markdown(content: dict[str, Any]) -> str:
    """The table, with a copy of the source and the rows in the order of the paper."""
    names, definitions = _names(content), content["definitions"]
    arrows = {n: "↑" if "higher" in definitions[n] else "↓" for n in names}
    header = ["model", *(f"{title} {arrows[n]}" for n, title in names.items())]
    copy = {"seeds": {"": {"metrics": content["copy of source"]}}}
    rows = [{"title": evaluate.COPY, **copy}, *content["rows"].values()]
    body = [[row["title"], *(cell(row, name) for name in names)] for row in rows]
    lines = [header, ["---", *["---:"] * len(names)], *body]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = "\n".join(f"- {line}" for line in _notes(content))
    return f"# Table 1\n\n{table}\n\n{notes}\n"


def _names(content: dict[str, Any]) -> dict[str, str]:
    """The titles of the columns by metric: those that some run has."""
    runs = [run for row in content["rows"].values() for run in row["seeds"].values()]
    scored = {name for run in runs for name in run["metrics"]}
    more = {name: title for name, title in _OF_INCEPTION.items() if name in scored}
    return {**_NAMES, **more}


def cell(row: dict[str, Any], name: str) -> str:
    """The mean of a metric, and its spread over the seeds."""
    runs = [run["metrics"] for run in row["seeds"].values()]
    if any(name not in run for run in runs):
        return "-"  # Scored without --inception.
    means = [run[name]["mean"] for run in runs]
    if None in means:
        return "undefined"  # No target has a body, say.
    digits = 1 if "l1" in name else 3
    spread = f" ± {statistics.stdev(means):.{digits}f}" if len(means) > 1 else ""
    return f"{statistics.mean(means):.{digits}f}{spread}"


def _notes(content: dict[str, Any]) -> list[str]:
    config, rows = content["config"], list(content["rows"].values())
    steps = [f"{r['title']} {next(iter(r['seeds'].values()))['step']:,}" for r in rows]
    seeds = [", ".join(sorted(row["seeds"], key=int)) for row in rows]
    said = seeds[0]
    if len(set(seeds)) > 1:
        titled = zip(rows, seeds, strict=True)
        said = "; ".join(f"{row['title']} {numbers}" for row, numbers in titled)
    if "," in said:
        said += "; of several, mean ± standard deviation over the seeds"
    names, definitions = _names(content), content["definitions"]
    return [
        f"{counted(content['pairs'], 'test pair')} of {config['image_size']} from "
        f"{config['data_dir']}",
        f"steps: {'; '.join(steps)}; batch size {config['batch_size']}",
        f"seeds: {said}",
        "figure4.png: the first seed of each model, test pairs spread evenly",
        *(f"{title} is {name}: {definitions[name]}" for name, title in names.items()),
        *(f"{n}: not computed; {why}" for n, why in content["not_computed"].items()),
    ]

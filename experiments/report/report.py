"""--mode=report: evaluated runs side by side, as one page for a browser."""

import pathlib

from experiments import results
from experiments.config import Config
from experiments.report import evaluated_run, page, samples

_FILE = "index.html"


def report(config: Config) -> None:
    """Writes --output/index.html, which shows the runs of --workdirs.

    Args:
        config: names the runs, the folder, and how many pairs to show.

    Raises:
        ValueError: a run was not evaluated, or is damaged; the folder holds a page that
            is not a report.
    """
    output = pathlib.Path(config.output)
    _check_output(output)
    found = evaluated_run.read_all(config.workdirs)
    gathered = samples.gather(config, found)
    html = page.render(found, gathered, config.report_metric)
    output.mkdir(parents=True, exist_ok=True)
    results.write_text(output / _FILE, html)
    for note in gathered.notes:
        print(f"Note: {note}")
    size = len(html.encode()) / 2**20
    print(
        f"Wrote {output / _FILE}: {', '.join(run.name for run in found)}; "
        f"{len(gathered.items)} pairs in the gallery, {size:.1f} MiB"
    )


def _check_output(output: pathlib.Path) -> None:
    """Checks, before the work, that the page replaces nothing but a report."""
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is a file; a report needs a folder.")
    old = output / _FILE
    if old.exists() and page.GENERATOR not in old.read_text("utf-8", "replace")[:2000]:
        raise ValueError(
            f"--output={output}: {_FILE} was not written by --mode=report and would be "
            "overwritten; choose another folder."
        )

"""--mode=user_study: a page that asks people which images are real, and their answers.

The study of section 4.4: real and generated images in random order, each shown for one
second, the first ten for practice. A page knows its images by the digests of their
pixels and shows them in the order of these, so that neither names nor order can tell
what is real; all are stored as PNG without compression, whose length depends on the
size of the image alone. Which is which stands in key.json, outside the folder of the
page.
"""

import base64
import hashlib
import io
import pathlib
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from experiments import results
from experiments.config import Config
from experiments.user_study import answers, images, scores
from pg2_jax import files

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).with_name("page")),
    autoescape=True,
)


def user_study(config: Config) -> None:
    """Writes page/index.html, for the people asked, and key.json into --output; or
    scores the --answers to the study there."""
    if config.answers:
        scores.score(config)
        return
    output = pathlib.Path(config.output)
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output={output} is not a folder.")
    if output.is_dir() and any(output.iterdir()):
        raise ValueError(
            f"--output={output} is not empty; a study that may have answers is not "
            "overwritten. Choose another folder."
        )
    choose = images.from_folders if config.generated_dir else images.from_run
    shown, origin = choose(config)
    trials = arranged(shown, config.seed)
    page, settings = render(trials, config)
    height, width = shown[0].image.shape[:2]
    key = {
        **settings,
        "seed": config.seed,
        "image_size": f"{height}x{width}",
        "trials": [
            {"id": name, "kind": one.kind, "pair": one.pair}
            for name, one in trials.items()
        ],
        "images": origin,
        **results.provenance(),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing_folder(output) as folder:
        (folder / "page").mkdir()
        results.write_text(folder / "page" / "index.html", page)
        results.write_json(folder / answers.KEY, key)
    print(f"Wrote {output / 'page' / 'index.html'}, for the people you ask,")
    print(f"and {output / answers.KEY}, which they must not see.")


def arranged(shown: list[images.Shown], seed: int) -> dict[str, images.Shown]:
    """Images in a random order that says nothing about them, by the names under which
    the page knows them: beside the seed, both depend on their pixels alone."""
    trials: dict[str, images.Shown] = {}
    for one in shown:
        name = _digest(seed.to_bytes(4, "big") + one.image.tobytes())
        if name in trials:
            said = " and ".join(
                f"the {x.kind} image of {' and '.join(x.pair)}"
                for x in (trials[name], one)
            )
            raise ValueError(
                f"{said} are equal in every pixel; nobody must see an image twice. "
                "Another --seed chooses others."
            )
        trials[name] = one
    return dict(sorted(trials.items()))


def render(
    trials: dict[str, images.Shown], config: Config
) -> tuple[str, dict[str, Any]]:
    """The page, and what the key says too; neither depends on what is real."""
    plan = list(trials), config.study_practice, config.study_seconds
    settings = {
        "study": _digest(repr(plan).encode()),
        "version": answers.VERSION,
        "practice": config.study_practice,
        "seconds": config.study_seconds,
    }
    shown = [{"id": n, "png": _encoded(one.image)} for n, one in trials.items()]
    page = _TEMPLATES.get_template("index.html")
    return page.render(study={**settings, "trials": shown}), settings


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _encoded(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=0)
    return base64.b64encode(buffer.getvalue()).decode()

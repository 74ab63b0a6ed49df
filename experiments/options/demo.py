"""The page for the browser: where it is, whom it shows, and how much it bears."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Demo", may_change=True, modes=("demo",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """The page for the browser: where it is, whom it shows, and how much it bears."""

    host: str = _option(
        "127.0.0.1",
        "demo: the address to listen at. The default is seen from this machine alone; "
        "0.0.0.0 lets in the whole network.",
    )
    port: int = _option(7860, "demo: the port; 0 for any free one.", minimum=0)
    examples_dir: str = _option(
        "",
        "demo: folder of photos to offer as examples (the first 12 by name); default: "
        "people drawn by the computer.",
        path=True,
    )
    max_upload_mb: int = _option(
        10, "demo: megabytes of the largest photo or pose file.", minimum=1
    )
    max_waiting: int = _option(
        16, "demo: requests that may wait for their turn; others hear: busy.", minimum=0
    )
    requests_per_minute: int = _option(
        300, "demo: of one address; more are refused for a while.", minimum=1
    )

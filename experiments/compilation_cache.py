"""Compiled programs on disk, so that the next start need not compile them."""

import os
import sys

from pg2_jax import downloads


def use(folder: str) -> None:
    """Keeps what jax compiles from now on, and takes what is kept.

    A run does not fail for its cache: where the folder cannot be written, this is
    said, and every start compiles.

    Args:
        folder: "default" for the one that jax is configured to use
            (`JAX_COMPILATION_CACHE_DIR`), or else pg2_jax/xla in the user's cache
            folder; empty for none.
    """
    import jax  # late: `--help` and mistakes in flags are answered without it

    if folder == "default":
        configured = jax.config.values["jax_compilation_cache_dir"]
        folder = configured or str(downloads.cache_folder() / "xla")
    if folder:
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            folder = _without(folder, error.strerror)
        else:
            if not os.access(folder, os.W_OK | os.X_OK):
                folder = _without(folder, "it cannot be written")
    jax.config.update("jax_compilation_cache_dir", folder or None)


def _without(folder: str, reason: str | None) -> str:
    print(
        f"--compilation_cache_dir={folder}: {reason}; programs are compiled at every "
        "start.",
        file=sys.stderr,
    )
    return ""

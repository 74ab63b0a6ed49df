"""Which of the two readers a data set is read with; known without importing either."""

import importlib.util

from pg2_jax import errors

READERS = ("auto", "tf_data", "memory")
INSTALL = "pip install 'pg2_jax[data]' (in a checkout: -e '.[data]')"


def choose(reader: str, begun_with: str = "auto") -> str:
    """The reader that one of `READERS` means: for "auto" that of the run that goes on,
    if there is one, else "tf_data" where tensorflow is installed and "memory" where it
    is not. Asking for what is not installed is a ValueError."""
    errors.check_choice("reader", reader, READERS)
    wanted = begun_with if reader == "auto" else reader
    is_there = importlib.util.find_spec("tensorflow") is not None
    if wanted == "auto":
        return "tf_data" if is_there else "memory"
    if wanted == "tf_data" and not is_there:
        of_run = ": the run began with tf_data, which" if reader == "auto" else ""
        rule = f"{of_run} needs the package tensorflow: {INSTALL}"
        raise errors.ArgumentError("reader", reader, rule)
    return wanted

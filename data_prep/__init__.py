"""Data preparation as programs. What they cannot even parse flags without is named in
one line, for whoever runs a checkout that is not installed."""

import importlib.util
import sys

# Not the end of a range: a newer Python may do.
_OLDEST = (3, 11)
INSTALL = "pip install 'pg2_jax[programs,data]' (in a checkout: -e '.[programs,data]')"

if sys.version_info < _OLDEST:
    sys.exit(f"error: Python 3.11 or later is needed, this is {sys.version.split()[0]}")
for _package in ("absl", "numpy", "PIL", "tqdm"):
    if importlib.util.find_spec(_package) is None:
        sys.exit(f"error: the package {_package} is not installed: {INSTALL}")

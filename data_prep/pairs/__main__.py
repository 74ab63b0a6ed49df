"""python -m data_prep.pairs: see `field_protocol`."""

import sys

from data_prep.pairs import field_protocol

sys.exit(field_protocol.main(sys.argv[1:]))

"""python -m data_prep.pairs: see `field_protocol`."""

from data_prep import command_line
from data_prep.pairs import field_protocol

field_protocol.define_flags()
command_line.start(field_protocol.main)

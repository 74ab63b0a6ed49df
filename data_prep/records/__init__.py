"""The TFRecords of a data set, written whole or not at all."""

"""The settings of a run by group: one field = default + help + rules = one flag."""

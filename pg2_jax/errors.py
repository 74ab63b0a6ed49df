"""Errors that name an argument, so that a program can name the flag instead."""

from collections.abc import Mapping


class ArgumentError(ValueError):
    """A value that a function cannot work with: the name of the parameter, what was
    given, and the rest of the sentence after "argument=value", such as ": there is no
    such folder", for instance."""

    def __init__(self, argument: str, value: object, rule: str):
        super().__init__(f"{argument}={value}{rule}")
        self.argument, self.value, self.rule = argument, value, rule


def for_programs(error: Exception, flag_of: Mapping[str, str]) -> str:
    """What a program says of any error: an argument by the name of its flag, which
    `flag_of` has where the two differ in name."""
    if not isinstance(error, ArgumentError):
        return str(error)
    flag = flag_of.get(error.argument, error.argument)
    return f"--{flag}={error.value}{error.rule}"

"""What can be wrong with a plan: an input, a file, a row of the catalogue."""

from collections.abc import Iterable


class PlanError(ValueError):
    """Any failure of this room that a user can mend."""


class InputError(PlanError):
    """An input that cannot be meant: names the field, the value, and what would be right."""

    def __init__(self, field: str, value: object, problem: str, right: str) -> None:
        super().__init__(f"{field}: {str(value)!r} {problem}; {right}")
        self.field = field
        self.value = value
        self.problem = problem
        self.right = right


class CatalogueError(PlanError):
    """A row or figure of the catalogue that is missing, or stands there without unit or source."""


def near(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return a question for the nearest of `names`, or what to say if none is near."""
    import difflib  # 20 ms that only a mistake is worth

    found = difflib.get_close_matches(name, list(names), 1)
    return f"did you mean {found[0]}?" if found else otherwise

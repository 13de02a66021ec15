"""What can be wrong with a plan: an input, a file, a row of the catalogue."""


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

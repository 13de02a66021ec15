"""What is wrong with a model's description."""

from fairwitness.planner.errors import PlanError


class ShapeError(PlanError):
    """A config that cannot be read, naming the model, the field, its value and what would do."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")

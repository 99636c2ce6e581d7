"""What can go wrong on the way from a Paddle model to a served one."""

from __future__ import annotations


class ConvertError(Exception):
    """Something about a model, a download or a repository is not as it must be.

    The message says what was wrong, what was got, what is allowed and what to do next; every
    command ends with that message and exit code 1.
    """


class CatalogueError(ConvertError):
    """A name is not in the catalogue, or the catalogue itself is malformed."""


class FetchError(ConvertError):
    """A download could not be completed, or what arrived is not what was recorded.

    Attributes:
        problem: the message without what to do.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        self.problem = problem
        super().__init__(f"{problem}; {remedy}" if remedy else problem)


class ModelError(ConvertError):
    """A model file is damaged, of the wrong kind or of a form that cannot be handled."""


class DictionaryError(ModelError):
    """A dictionary does not fit the class count of its recogniser."""


class ProofError(ConvertError):
    """A converted model does not answer as its source does.

    Attributes:
        subject: what was proven.
        differences: one sentence for every difference that was found.
    """

    def __init__(self, subject: str, differences: list[str]) -> None:
        self.subject, self.differences = subject, differences
        shown = "\n".join(f"  - {difference}" for difference in differences[:20])
        hidden = len(differences) - 20
        more = f"\n  - and {hidden} more" if hidden > 0 else ""
        super().__init__(f"{subject} does not answer as its source does:\n{shown}{more}")


class RepositoryError(ConvertError):
    """A model repository cannot be written or its models do not belong together."""

"""What is refused, and how: each a sentence for a person, a status, and a word for a machine."""

from __future__ import annotations

from collections.abc import Mapping

from recorderd.errors import RecorderdError


class Refused(RecorderdError):
    """No; `str()` is one sentence for a person, `status` the HTTP status, `code` a word for a machine."""

    status = 403
    code = "refused"


class NotSignedIn(Refused):
    """Nobody is signed in, or not any more. Pages are sent to the login, the API answers 401."""

    status = 401
    code = "not-signed-in"


class NotFound(Refused):
    """It is not there, or it is not his to know that it is: the two look alike."""

    status = 404
    code = "not-found"


class NeedsReason(Refused):
    """An auditor has not said why yet: ask him, give it to `Media.give_reason`, and try again."""

    status = 428
    code = "needs-reason"


class Conflict(Refused):
    """It cannot be done as things are now: a locked value, a call that is over."""

    status = 409
    code = "conflict"


class Throttled(Refused):
    """Too many tries; `retry_after` is in seconds."""

    status = 429
    code = "throttled"

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class FaultyInput(Refused):
    """What was typed cannot be used: `faults` are sentences, by the field's name where there is one."""

    status = 422
    code = "faulty-input"

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(" ".join(faults.values()))
        self.faults = dict(faults)


class FaultyFilter(FaultyInput):
    """The filter's line cannot be read; faults are keyed by the word at fault."""

    code = "faulty-filter"

"""What goes in and out: owns the shapes that OpenAPI shows. The plain data of `ports` go out as they are."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recorderd.core.policy import ExtensionPolicy, Lookback, Mode
from recorderd.panel.ports import Account, AuditRow, Entry, LiveCall, Right, Role

Line = Field(max_length=300)


class Shape(BaseModel):
    """Nothing beyond what is said: a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")


# --- out -----------------------------------------------------------------------------------------


class Fault(BaseModel):
    code: str
    sentence: str
    faults: dict[str, str]


class Problem(BaseModel):
    """Every refusal: a word for a machine, a sentence for a person, faults by field."""

    error: Fault


class Me(BaseModel):
    login: str
    name: str
    role: Role
    extension: str
    scope: list[str] | None
    rights: list[Right]
    language: str
    needs_reason: bool
    must_change: bool
    csrf: str = ""


class EntryPage(BaseModel):
    """Newest first. `older` and `newer` are cursors; there is no total, which would cost a scan."""

    rows: list[Entry]
    older: str | None
    newer: str | None
    searched_to: float | None


class LiveCalls(BaseModel):
    calls: list[LiveCall]


class AuditPage(BaseModel):
    rows: list[AuditRow]
    older: str | None


class Lane(BaseModel):
    label: str
    peaks: list[int]


class Waveform(BaseModel):
    version: int
    duration_ms: int
    bucket_ms: int
    lanes: list[Lane]


class Token(BaseModel):
    id: str
    name: str
    scopes: list[Right]
    created_at: float
    expires_at: float | None
    used_at: float | None


class NewToken(BaseModel):
    """Shown this once."""

    token: str


class Webhook(BaseModel):
    id: str
    url: str
    events: list[str]
    enabled: bool
    created_at: float
    last_at: float | None
    last_error: str


class NewWebhook(Webhook):
    """`secret` signs what is sent, and is shown this once."""

    secret: str


class NewAccount(BaseModel):
    """`code` is for the first login, and is shown this once."""

    account: Account
    code: str


class Code(BaseModel):
    code: str


class Version(BaseModel):
    """The version of policy that the change made."""

    version: int


class Taken(BaseModel):
    taken: int


class Text(BaseModel):
    text: str


class Rule(BaseModel):
    name: str
    body: dict[str, Any]
    enabled: bool


class Extension(BaseModel):
    policy: ExtensionPolicy
    name: str
    own: bool


class Alarm(BaseModel):
    id: str
    at: float
    kind: str
    sentence: str
    keys: dict[str, str]
    cleared_at: float | None


# --- in ------------------------------------------------------------------------------------------


class SignIn(Shape):
    login: str = Field(max_length=100)
    secret: str = Field(max_length=512)
    language: str = Field(default="", max_length=10)


class NewPassword(Shape):
    old: str = Field(default="", max_length=512)
    new: str = Field(max_length=512)


class Language(Shape):
    language: str = Field(max_length=10)


class Chosen(Shape):
    inbound: Mode
    outbound: Mode
    internal_inbound: Mode | None = None
    internal_outbound: Mode | None = None


class Reason(Shape):
    reason: str = Field(max_length=500)


class Heard(Shape):
    """Which milliseconds were really heard, as pairs."""

    ranges: list[tuple[int, int]] = Field(max_length=200)


class WantedToken(Shape):
    name: str = Field(max_length=200)
    scopes: list[Right] = Field(max_length=20)
    days: int | None = Field(default=None, ge=1, le=3650)


class WantedWebhook(Shape):
    url: str = Field(max_length=2000)
    events: list[Literal["recording.finished", "alarm"]] = Field(max_length=10)


class WantedAccount(Shape):
    login: str = Field(max_length=100)
    name: str = Field(default="", max_length=200)
    role: Role = Role.USER
    extension: str | None = Field(default=None, max_length=64)
    scope: list[str] = Field(default=[], max_length=500)
    rights: list[Right] | None = Field(default=None, max_length=20)


class ChangedAccount(Shape):
    name: str | None = Field(default=None, max_length=200)
    role: Role | None = None
    extension: str | None = Field(default=None, max_length=64)
    scope: list[str] | None = Field(default=None, max_length=500)
    rights: list[Right] | None = Field(default=None, max_length=20)


class Disabled(Shape):
    disabled: bool


class ExtensionChange(Shape):
    """What is not given stays; `same` lets internal calls follow the others."""

    inbound: Mode | None = None
    outbound: Mode | None = None
    internal_inbound: Mode | Literal["same"] | None = None
    internal_outbound: Mode | Literal["same"] | None = None
    locked: bool | None = None
    lock_reason: str | None = Field(default=None, max_length=500)
    fail_mode: str | None = Field(default=None, max_length=40)
    lookback: Lookback | None = None
    announce: str | None = Field(default=None, max_length=40)
    beep: int | None = Field(default=None, ge=0, le=600)
    name: str | None = Field(default=None, max_length=500)


class BulkChange(Shape):
    extensions: list[str] = Field(max_length=5000)
    change: ExtensionChange


class PolicyText(Shape):
    text: str = Field(max_length=2 << 20)
    form: Literal["csv", "yaml"]
    replace: bool = False


class RulesText(Shape):
    """YAML, beginning with `rules:`."""

    text: str = Field(max_length=2 << 20)


class WhatIf(RulesText):
    days: int = Field(default=30, ge=1, le=92)
    limit: int = Field(default=500, ge=1, le=5000)


class Question(Shape):
    caller: str = Field(max_length=80)
    callee: str = Field(max_length=80)
    at: str = Field(default="", max_length=40)
    did: str = Field(default="", max_length=80)
    trunk: str = Field(default="", max_length=80)
    context: str = Field(default="", max_length=80)
    pressed: bool = False

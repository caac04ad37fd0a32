"""Reading a transcript, playing it to an engine, and saying in a few lines what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from recorderd.ami import translate, wire
from recorderd.core import commands, events
from recorderd.core.policy import ExtensionPolicy, Mode, Policy
from recorderd.core.rows import Conversation, Interval, Lane, Recording
from tests.core.world import World

EXPECTED = "--- expected"
FOLDER = Path(__file__).parent
WANTED = frozenset(translate.PARSERS)


@dataclass(frozen=True)
class Transcript:
    """One file. `head` are its comment lines, `raw` its AMI messages, `expected` the lines beneath."""

    head: tuple[str, ...]
    policy: Policy
    raw: str
    expected: tuple[str, ...]

    def events(self) -> Iterator[events.Event]:
        """What the messages mean; those that mean nothing to us are left out."""
        for message in self.raw.split("\n\n"):
            headers = wire.parse(message.strip("\n").replace("\n", "\r\n").encode())
            event = translate.read(headers, translate.timestamp(headers) or 0.0, UTC)
            if event is not None:
                yield event


def read(path: Path) -> Transcript:
    """The parts of a file."""
    text, _, beneath = path.read_text().partition(f"{EXPECTED}\n")
    lines = text.splitlines()
    head = [line for line in lines if line.startswith("#")]
    asked = next(line for line in lines if line.startswith("policy:"))
    raw = text.partition(f"{asked}\n")[2]
    return Transcript(tuple(head), policy_of(asked), raw, tuple(beneath.splitlines()))


def policy_of(line: str) -> Policy:
    """The policy of `policy: default always, 103 never`."""
    extensions = {}
    for word in line.partition(":")[2].split(","):
        name, mode = word.split()
        extensions[name] = ExtensionPolicy(extension=name, inbound=Mode(mode), outbound=Mode(mode))
    return Policy(default=extensions.pop("default"), extensions=extensions)


def play(transcript: Transcript) -> World:
    """The engine hears all of it, and Asterisk obeys; then half a minute in which nothing happens."""
    happened = list(transcript.events())
    world = World(transcript.policy, start=happened[0].at - 1)
    world.play(happened)
    world.wait(30)
    return world


def told(world: World) -> tuple[str, ...]:
    """What came of it: the commands for Asterisk, conversations, stretches of talk, files."""
    names = {row.uniqueid: row.channel for row in world.saved(Lane)}
    names.update(world.truth.names)
    lines = [_command(command, names) for command in world.sent if type(command) in _SAID]
    lines += [_conversation(talk, world) for talk in world.saved(Conversation)]
    lines += [f"alarm {alarm.kind}: {alarm.sentence}" for alarm in world.alarms]
    return tuple(lines)


_SAID = (
    commands.MixMonitor,
    commands.StopMixMonitor,
    commands.StopForeign,
    commands.MixMonitorMute,
    commands.Setvar,
    commands.OfferFeature,
)


def _command(command: commands.Command, names: dict[str, str]) -> str:
    words = [type(command).__name__, names[command.uniqueid]]  # type: ignore[attr-defined]
    if isinstance(command, commands.Setvar):
        words.append(f"{command.variable}={command.value}")
    return " ".join(words)


def _conversation(talk: Conversation, world: World) -> str:
    lines = [f"conversation{' that joined another' if talk.joined else ''}:"]
    for interval in world.saved(Interval):
        if interval.conversation_id == talk.id:
            lines.append(f"    {_interval(interval)}")
    for recording in world.saved(Recording):
        if recording.conversation_id == talk.id:
            lines.append(f"    {recording.state} {recording.name}")
    return "\n".join(lines)


def _interval(interval: Interval) -> str:
    arrows = {"outbound": "", "inbound": "->"}
    who = " ".join(f"{arrows[p.direction]}{p.number or p.channel}" for p in interval.parties)
    assert interval.ended_at is not None
    length = f"{interval.ended_at - interval.started_at:.1f} s"
    if interval.ended_at - interval.started_at < 0.5:
        length = "a moment"
    return f"{who}: {interval.mode}, {interval.outcome}, {length}"


def beneath(path: Path) -> str:
    """The whole file with what the engine makes of it now."""
    text = path.read_text().partition(f"{EXPECTED}\n")[0]
    lines = "\n".join(told(play(read(path))))
    return f"{text}{EXPECTED}\n{lines}\n"

"""Who talks with whom, in every kind of call that was measured, and which conversation it is.

The events are those of asterisk-facts section 1, in its order. A picture such as `1: 101 ->102` reads: the
first conversation, in which 101 called and 102 was called; `(1)` is a conversation that waits for somebody.
"""

from __future__ import annotations

import pytest

from recorderd.core import events, hearing
from recorderd.core.channels import Names
from recorderd.core.rows import Conversation, Direction, Party
from tests.core.people import A, N, policy
from tests.core.tape import T, name, tape, uid
from tests.core.world import World


def _picture(party: Party) -> str:
    who = party.extension or party.channel.partition("/")[2].rpartition("-")[0]
    return f"->{who}" if party.direction is Direction.INBOUND else who


class Story:
    """A world in which nothing is recorded; `after` plays on and says who talks with whom then."""

    def __init__(self) -> None:
        self.world = World(policy(default=N))
        self._numbers: dict[str, int] = {}

    def after(self, text: str) -> str:
        self.world.play(tape(text, start=self.world.now))
        engine = self.world.engine
        pictures = []
        for talk in engine.talks.talks.values():
            number = self._numbers.setdefault(talk.id, len(self._numbers) + 1)
            if not talk.members:
                pictures.append(f"({number})")
                continue
            assert talk.interval is not None
            parties = sorted(talk.interval.parties, key=lambda p: (p.direction == "inbound", p.uniqueid))
            pictures.append(f"{number}: {' '.join(map(_picture, parties))}")
        return " | ".join(pictures)

    @property
    def joined(self) -> list[bool]:
        return [row.joined is not None for row in self.world.saved(Conversation)]

    def ends(self) -> None:
        """Everybody is gone, and so is every trace."""
        engine = self.world.engine
        assert not engine.calls.channels
        assert not engine.calls.bridges
        assert not engine.talks.talks
        assert not engine.talks.home
        assert all(row.ended_at for row in self.world.saved(Conversation))


@pytest.fixture
def story() -> Story:
    return Story()


RING = """
new 101-00 ext=102
new 102-01 l=00
dial 101-00 102-01
"""
ANSWER = """
wait 200
dialend 102-01 ANSWER by=101-00
enter 102-01 B1 l=00
enter 101-00 B1
"""
END = """
leave 101-00 B1
leave 102-01 B1 l=00
destroy B1
hangup 101-00
hangup 102-01 l=00
"""


def test_internal_call(story) -> None:
    assert story.after(RING) == ""
    assert story.after("dialend 102-01 ANSWER\nenter 102-01 B1 l=00") == ""
    assert story.after("enter 101-00 B1") == "1: 101 ->102"
    assert story.after("leave 101-00 B1") == "(1)"
    assert story.after("leave 102-01 B1\nhangup 101-00") == "(1)"
    assert story.after("hangup 102-01") == ""
    story.ends()


@pytest.mark.parametrize(
    "end",
    [
        "leave 101-00 B1\nhangup 101-00\nleave 102-01 B1\nhangup 102-01",
        "leave 102-01 B1\nleave 101-00 B1\nhangup 102-01\nhangup 101-00",
        "hangup 101-00\nhangup 102-01",
        "hangup 102-01\nhangup 101-00\nleave 101-00 B1\nleave 102-01 B1\ndestroy B1",
        "destroy B1\nhangup 101-00\nhangup 102-01",
    ],
)
def test_a_call_ends_in_any_order(story, end) -> None:
    story.after(RING + ANSWER)
    assert story.after(end) == ""
    story.ends()


def test_inbound_call(story) -> None:
    ringing = """
    new trunk-04 cid=0612345678 ext=5550101 ctx=from-trunk
    new 101-05 l=04
    dial trunk-04 101-05 ext=101
    dialend 101-05 ANSWER
    enter 101-05 B1 l=04
    enter trunk-04 B1
    """
    assert story.after(ringing) == "1: trunk ->101"
    (talk,) = story.world.engine.talks.talks.values()
    outside, inside = talk.interval.parties
    assert (outside.number, outside.extension) == ("0612345678", "")
    assert (inside.number, inside.extension) == ("101", "101")
    situation = hearing.situation(story.world.engine.calls, talk.members, T)
    assert situation.dialled[0] == "5550101"
    assert (situation.trunks, situation.contexts) == (("trunk",), ("from-trunk", "from-phones"))


def test_outbound_call(story) -> None:
    ringing = """
    new 101-06 ext=90612345678
    new trunk-07 l=06
    dial 101-06 trunk-07 ext=90612345678
    dialend trunk-07 ANSWER
    enter trunk-07 B1 l=06
    enter 101-06 B1
    """
    assert story.after(ringing) == "1: 101 ->trunk"
    (talk,) = story.world.engine.talks.talks.values()
    assert [p.number for p in talk.interval.parties] == ["101", "90612345678"]


@pytest.mark.parametrize("status", ["CANCEL", "BUSY", "NOANSWER", "CHANUNAVAIL"])
def test_an_unanswered_call_is_no_conversation(story, status) -> None:
    story.after(RING)
    assert story.after(f"dialend 102-01 {status}\nhangup 102-01\nhangup 101-00") == ""
    assert story.world.saved(Conversation) == []
    story.ends()


def test_ring_group(story) -> None:
    """The loser's CANCEL comes before the winner's ANSWER."""
    story.after("new 101-00 ext=601\nnew 102-01 l=00\nnew 103-02 l=00")
    story.after("dial 101-00 102-01\ndial 101-00 103-02")
    ringing = {c.name for c in hearing.ringing_for(story.world.engine.calls, uid("101-00"))}
    assert ringing == {name("102-01"), name("103-02")}
    answered = "dialend 102-01 CANCEL\ndialend 103-02 ANSWER\nenter 103-02 B1\nenter 101-00 B1\nhangup 102-01"
    assert story.after(answered) == "1: 101 ->103"
    assert list(hearing.ringing_for(story.world.engine.calls, uid("101-00"))) == []


def test_queue(story) -> None:
    story.after("new 101-00 ext=600\nwait 3000\nnew 102-01 l=00\ndial 101-00 102-01 ext=600")
    assert story.after("dialend 102-01 ANSWER\nenter 102-01 B1 l=00\nenter 101-00 B1") == "1: 101 ->102"
    (talk,) = story.world.engine.talks.talks.values()
    assert "600" in hearing.situation(story.world.engine.calls, talk.members, T).dialled


def test_conference(story) -> None:
    """Each has a linkedid of his own; the announcer's channel is nobody."""
    alone = "new 101-3d ext=800\nnew CBAnn-40\nenter CBAnn-40 C tech=softmix\nenter 101-3d C tech=softmix"
    assert story.after(alone) == ""
    assert story.after("new 102-3e ext=800\nenter 102-3e C tech=softmix") == "1: 101 102"
    assert story.after("new 103-3f ext=800\nenter 103-3f C tech=softmix") == "1: 101 102 103"
    assert story.after("leave 101-3d C\nhangup 101-3d") == "1: 102 103"
    assert story.after("leave 102-3e C\nhangup 102-3e") == "(1)"
    assert story.after("leave 103-3f C\nhangup 103-3f\nleave CBAnn-40 C\nhangup CBAnn-40") == ""
    story.ends()
    (row,) = story.world.saved(Conversation)
    assert set(row.linkedids) == {uid("101-3d"), uid("102-3e"), uid("103-3f")}


LOCAL = """
new 101-00 ext=602
new L01;1 l=00
new L01;2 l=00 ext=102
dial 101-00 L01;1 ext=602
new 102-03 l=00
dial L01;2 102-03
"""
LOCAL_ANSWERED = """
dialend 102-03 ANSWER
enter 102-03 B2 l=00
enter L01;2 B2 l=00
dialend L01;1 ANSWER
enter L01;1 B1 l=00
enter 101-00 B1
"""


def test_a_local_pair_is_seen_through(story) -> None:
    story.after(LOCAL)
    calls = story.world.engine.calls
    assert [c.name for c in hearing.ringing_for(calls, uid("101-00"))] == [name("102-03")]
    assert [c.name for c in hearing.callers_of(calls, uid("102-03"))] == [name("101-00")]
    assert story.after(LOCAL_ANSWERED) == "1: 101 ->102", "four channels, two bridges, one conversation"
    assert story.after("leave 101-00 B1\nhangup 101-00\nhangup L01;1\nhangup L01;2\nhangup 102-03") == ""
    story.ends()


def test_local_optimised_away(story) -> None:
    story.after(LOCAL + LOCAL_ANSWERED)
    optimised = "leave 102-03 B2\nleave L01;1 B1\nenter 102-03 B1 l=00 swap=L01;1\nleave L01;2 B2"
    assert story.after(optimised) == "1: 101 ->102"
    assert story.after("hangup L01;1\nhangup L01;2") == "1: 101 ->102"
    assert story.after("hangup 101-00\nhangup 102-03") == ""
    story.ends()


def test_a_local_behind_which_nobody_rings_yet_is_unknown(story) -> None:
    story.after("new 101-00 ext=602\nnew L01;1 l=00\nnew L01;2 l=00\ndial 101-00 L01;1")
    assert list(hearing.ringing_for(story.world.engine.calls, uid("101-00"))) == [None]


def test_originate(story) -> None:
    """Its DialBegin names no caller, and the first phone shows a strange number from then on."""
    story.after("new 101-2f\ndial - 101-2f\ndialend 101-2f ANSWER")
    story.after("new 102-30 l=2f\ndial 101-2f 102-30\ndialend 102-30 ANSWER")
    talking = story.after("enter 102-30 B1 l=2f\nenter 101-2f B1 cid=777")
    assert talking == "1: 101 ->102", "who was called first has called"


def test_pickup(story) -> None:
    """The winner had no DialBegin, and is called, though it dialled `*8`."""
    story.after("new 101-00 ext=102\nnew 102-2a l=00\ndial 101-00 102-2a\nnew 104-2b ext=*8")
    story.after("pickup 104-2b 102-2a\ndialend 104-2b ANSWER")
    assert story.after("enter 104-2b B1 l=00\nhangup 102-2a\nenter 101-00 B1") == "1: 101 ->104"
    (talk,) = story.world.engine.talks.talks.values()
    assert hearing.situation(story.world.engine.calls, talk.members, T).dialled == ("102",)
    winner = story.world.engine.calls.channels[uid("104-2b")]
    assert winner.linkedid == uid("101-00"), "it changed without an event"


def test_park_and_retrieve(story) -> None:
    story.after(RING + ANSWER)
    parked = """
    blind 102-01 101-00 700
    leave 101-00 B1
    enter 101-00 P tech=holding_bridge
    leave 102-01 B1
    hangup 102-01
    """
    assert story.after(parked) == "(1)", "it waits, and goes on"
    retrieved = "new 103-04 ext=701\nleave 101-00 P\nenter 101-00 B2\nenter 103-04 B2 l=00"
    assert story.after(retrieved) == "1: 101 103"


def test_two_who_are_parked_do_not_hear_each_other(story) -> None:
    both = "new 101-00\nenter 101-00 P tech=holding_bridge\nnew 102-01\nenter 102-01 P tech=holding_bridge"
    assert story.after(both) == ""


def test_blind_transfer_by_the_callee(story) -> None:
    story.after(RING + ANSWER)
    sent = "blind 102-01 101-00 103\nleave 102-01 B1\nleave 101-00 B1\ndestroy B1\nhangup 102-01"
    assert story.after(sent) == "(1)"
    assert story.after("new 103-02 l=00\ndial 101-00 103-02") == "(1)"
    assert story.after("dialend 103-02 ANSWER\nenter 103-02 B2 l=00\nenter 101-00 B2") == "1: 101 ->103"
    assert story.after("hangup 101-00\nhangup 103-02") == ""
    story.ends()


def test_blind_transfer_by_the_caller(story) -> None:
    """The callee's channel goes on, and dials."""
    story.after(RING + ANSWER)
    story.after("blind 101-00 102-01 103\nleave 102-01 B1\nleave 101-00 B1\nhangup 101-00")
    story.after("new 103-02 l=00\ndial 102-01 103-02 l=00\ndialend 103-02 ANSWER")
    assert story.after("enter 103-02 B2 l=00\nenter 102-01 B2") == "1: ->102 ->103"


def test_redirect(story) -> None:
    story.after(RING + ANSWER)
    story.after("leave 102-01 B1\nleave 101-00 B1\nhangup 102-01\nnew 103-02 l=00\ndial 101-00 103-02")
    assert story.after("dialend 103-02 ANSWER\nenter 103-02 B2\nenter 101-00 B2") == "1: 101 ->103"


CONSULTATION = """
new 102-02 ext=103
new 103-03 l=02
dial 102-02 103-03
dialend 103-03 ANSWER
enter 103-03 B2 l=02
enter 102-02 B2
"""


def test_attended_transfer_by_refer(story) -> None:
    """The consultation is a conversation of its own, until it is joined; then the first goes on."""
    story.after(RING + ANSWER)
    assert story.after(CONSULTATION) == "1: 101 ->102 | 2: 102 ->103"
    joined = """
    leave 101-00 B1
    leave 102-02 B2
    enter 101-00 B2 swap=102-02
    """
    assert story.after(joined) == "1: 101 ->103 | (2)"
    assert story.after("leave 102-01 B1\nhangup 102-01\nhangup 102-02") == "1: 101 ->103"
    assert story.joined == [False, True]
    assert story.after("hangup 101-00\nhangup 103-03 l=00") == ""
    story.ends()


def test_attended_transfer_by_feature_code(story) -> None:
    """`*2`: the consultation goes through a Local pair, and the bridges are merged."""
    story.after(RING + ANSWER)
    consulting = """
    leave 102-01 B1
    new L02;1 l=00
    new L02;2 l=00 ext=103
    new 103-04 l=00
    dial L02;2 103-04
    dialend 103-04 ANSWER
    enter 103-04 B3 l=00
    enter L02;2 B3 l=00
    enter L02;1 B2 l=00
    enter 102-01 B2 l=00
    """
    assert story.after(consulting) in ("1: ->102 ->103", "(1) | 2: ->102 ->103")
    merged = """
    leave 102-01 B2
    enter 101-00 B2 swap=102-01
    leave L02;1 B2
    leave 101-00 B2
    enter 101-00 B3 swap=L02;2
    hangup L02;1
    hangup L02;2
    hangup 102-01
    """
    picture = story.after(merged)
    assert picture.endswith("101 ->103")
    assert picture.count(":") == 1
    assert story.after("hangup 101-00\nhangup 103-04") == ""
    story.ends()


def test_one_who_walks_over_does_not_take_the_others_story_along(story) -> None:
    """Three confer, one goes to another call: two stories go on, neither joined the other."""
    story.after("new 101-00\nenter 101-00 C tech=softmix\nnew 102-01\nenter 102-01 C tech=softmix")
    story.after("new 103-02\nenter 103-02 C tech=softmix")
    story.after("new 104-03\nenter 104-03 D tech=softmix\nnew 105-04\nenter 105-04 D tech=softmix")
    assert story.after("leave 103-02 C\nenter 103-02 D tech=softmix") == "1: 101 102 | 2: 103 104 105"
    assert story.joined == [False, False]


def test_a_conference_that_splits_is_two_conversations_from_then_on(story) -> None:
    story.after("new 101-00\nenter 101-00 C tech=softmix\nnew 102-01\nenter 102-01 C tech=softmix")
    story.after("new 103-02\nenter 103-02 C tech=softmix\nnew 104-03\nenter 104-03 C tech=softmix")
    moved = "leave 103-02 C\nleave 104-03 C\nenter 103-02 D\nenter 104-03 D"
    assert story.after(moved) == "1: 101 102 | 2: 103 104"


# --- channels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "extension"),
    [
        ("PJSIP/101-0000002a", "101"),
        ("SIP/101-0000002a", "101"),
        ("PJSIP/trunk-0000002a", ""),
        ("PJSIP/pbx-2-0000002a", ""),
        ("PJSIP/101@trunk-0000002a", ""),
        ("Local/101@from-phones-0000002a;1", ""),
        ("PJSIP/reception-00000001", "100"),
        ("PJSIP/1-00000001", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_only_the_channels_name_tells_the_extension(channel, extension) -> None:
    names = Names(devices={"PJSIP/reception": "100"})
    assert names.extension(channel) == extension


def test_an_event_about_a_channel_that_is_gone_does_not_bring_it_back(story) -> None:
    """An AGI request or a delayed event may speak of one; it would live and be armed for ever."""
    story.after(RING + ANSWER + END)
    late = "consult 101-00 102\nenter 101-00 B9\nleave 101-00 B9\ndial 101-00 102-01\nmonitor 101-00"
    for event in tape(late, start=story.world.now):
        story.world.hear(event)
    story.ends()


def test_a_channel_listed_an_instant_after_its_hangup_stays_gone(story) -> None:
    story.after(RING + ANSWER)
    listed = story.world.truth.listed()
    story.after(END)
    story.world.hear(events.Resync(at=story.world.now + 0.05, channels=listed))
    story.ends()
    story.world.hear(events.Resync(at=story.world.now + 60, channels=listed))
    assert len(story.world.engine.calls.channels) == 2, "but a list that still says so later is believed"


def test_a_conversation_keeps_every_linkedid_it_ever_had(story) -> None:
    story.after(RING + ANSWER + CONSULTATION)
    story.after("leave 101-00 B1\nleave 102-02 B2\nenter 101-00 B2 l=02 swap=102-02")
    story.after("hangup 102-01\nhangup 102-02")
    first, _ = story.world.saved(Conversation)
    assert first.linkedids == (uid("101-00"), uid("102-02"))


def test_a_talk_that_policy_wants_is_the_same_conversation_for_all_of_that() -> None:
    """The recording goes on through a transfer: one file, two intervals."""
    world = World(policy(default=A))
    world.play(tape(RING + ANSWER))
    world.wait(2)
    world.play(
        tape(
            "leave 102-01 B1\nleave 101-00 B1\nhangup 102-01\nnew 103-02 l=00\ndial 101-00 103-02\n"
            "dialend 103-02 ANSWER\nenter 103-02 B2\nenter 101-00 B2\nwait 2000\n"
            "hangup 101-00\nhangup 103-02",
            start=world.now,
        )
    )
    world.wait(3)
    (mix,) = world.mixes
    assert len(mix.timeline) == 2
    assert len(mix.lanes) == 3

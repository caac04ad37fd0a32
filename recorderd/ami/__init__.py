"""The room that hears and commands Asterisk, over its manager interface (AMI), on exactly one connection.

    wire        messages as bytes: splitting, parsing, spelling (pure)
    translate   one AMI event -> one core event (pure)
    snapshot    Status and BridgeList -> Resync (pure)
    actions     one core command -> the headers of an action (pure)
    client      the connection itself: panoramisk, subclassed; login, filters, deadlines, reconnecting
    executor    carries commands out and turns the answers into events
    clock       Asterisk's time
    link        `AsteriskLink`: what the daemon holds
    fake        a small Asterisk that misbehaves on request, for tests and demonstrations

One connection, because each further one costs Asterisk 18-35 % CPU a call (performance, section 6).
"""

from recorderd.ami.link import AsteriskLink
from recorderd.ami.settings import AmiSettings

__all__ = ["AmiSettings", "AsteriskLink"]

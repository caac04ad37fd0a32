"""The daemon: the one room that knows all others, and joins them.

service      builds the rooms, starts and ends them, reloads
switchboard  the inbox: event -> engine -> commands -> whoever carries them out
policies     policy from the store, the snapshot and AstDB's mirror
brain        what the dialplan is answered from (the AGI thread)
desk         what the control socket is answered from
unheard      when channels ended that nobody told us of
interpreter  how Python itself is set
alarms       whom to tell, and how
spool        folders before Asterisk needs them, files that go
metrics      Prometheus
"""

from recorderd.daemon.service import run

__all__ = ["run"]

"""Transcripts of real Asterisks, and what the engine must make of each.

A file `NAME.ami` is the form in which anybody can attach a bug:

    # internal call, Asterisk 22.10.1, 2026-11-23
    policy: default always, 103 never
    Event: Newchannel                  <- raw AMI text, just as `nc` or a log shows it
    ...
    --- expected
    MixMonitor PJSIP/101-00000000      <- every command for Asterisk, in order,
    ...
    101+102 always recorded 2.0 s      <- and what became of every stretch of talk

`record.py` places the calls and writes the transcripts; `python -m tests.scenarios.record --expect FILE...`
writes what the engine makes of one now beneath it, to be read before it is committed.
"""

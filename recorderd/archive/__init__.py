"""Keeps the audio: watches files while Asterisk writes them, and mixes their voices when a recording closes.

Must not know Asterisk, policy or a database. The daemon holds one `watch.Watcher` and one `archive.Archive`;
the work on samples is done by `worker`, a process of its own.
"""

"""The room that answers the dialplan. Asterisk asks over AGI; what to say comes from a `Brain` elsewhere.

    ports     what this room needs of the daemon: `Brain`
    advice    what the dialplan is told, and how that is spelled in one channel variable
    wire      AGI's own language, without a socket: header blocks, commands, answers
    routes    path -> what is said to Asterisk, step by step, without a socket
    session   one connection: bytes in, steps out, deadlines
    server    the thread, the listening socket, the bounds
    fallback  what a call does when nobody answers
    script    the same answers for a host without FastAGI: one process per question, on pyst2

The dialplan asks, only the daemon starts MixMonitor: nothing here decides about a recording.
"""

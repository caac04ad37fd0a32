"""The room that thinks. Facts come in, commands go out; nothing here waits, opens, logs or guesses.

    events         what happened, in Asterisk's words
    commands       what is to be done; outbox: in which order
    rows           what is remembered

    engine         the funnel: handle(event) -> [command]
    agenda         what is thought about now, and what waits for its turn
    catching_up    what lives after a restart or a lost link, against what we knew
    hangups        who is told that a channel is gone

    calls          what lives in Asterisk (channels, bridges); hearing: who hears whom there
    conversations  who talks with whom; following: what is decided of it, as of now
    policy         what should be recorded, and why; conditions, rules: when something applies; deciding: asked once
    arming         who is recorded before the call is answered
    presses        what a press of the feature code does; offering: who has the code

    plan           what should be recorded, against what is
    lanes          which lanes there are; recordings: the life of a lane and of a recording
    recorder       how a recorder begins and ends; stops: how it is stopped; adopting: how it is found again
    places         which folder takes sound; disks: what becomes of the lanes on one that fails
    files          when a lane's file is final, and when it goes
    foreign        other people's recorders; dealing: what becomes of them
    failing        talks that end because they cannot be recorded

    ledger         what becomes of every stretch of talk; judging, intervals: how that is found out
    mixing         when a recording's file is made; sides, company: of what
    tags, links    which file a CDR names, and which audio belongs to its row
    filenames      names that readers of FreePBX find

    keeping        what becomes of a file once it is made; retention: for how long; capacity: whether there is room
    entries        stories of calls for people's lists; coverage: every answered CDR accounted for
    chain          the chain of evidence; chain_walk: whether it is what it was

Time here is Asterisk's own: seconds since the epoch in UTC, as the Timestamp header gives it.
"""

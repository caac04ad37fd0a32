"""The room that thinks. Facts come in, commands go out; nothing here waits, opens, logs or guesses.

    events      what happened, in Asterisk's words
    commands    what is to be done
    rows        what is remembered
    policy      what should be recorded, and why
    conditions  when a rule applies
    calls       who hears whom now
    recordings  the life of a lane and of a recording
    intervals   what became of every stretch of talk
    links       which audio belongs to which CDR row
    filenames   names that readers of FreePBX find
    engine      the funnel: handle(event) -> [command]

Time here is Asterisk's own: seconds since the epoch in UTC, as the Timestamp header gives it.
"""

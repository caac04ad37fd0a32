"""The room that keeps the books, in a process of its own, so that no call waits for paper.

    process    the daemon's side: keeps one clerk at work, hands it rows, passes on what it says
    birth      how a clerk's process is begun
    clerk      the clerk: stores rows, and sets to work what waits for them to be stored
    line       how the two processes ask and tell each other things

    linker     CDRs to recordings
    indexer    the lists of calls
    notary     the chain of evidence:  entries (what is written in it), heads (how it is signed)

A row is safe in the daemon's journal before the clerk hears of it, and leaves the journal only when the clerk has
stored it. So a clerk may die at any moment: the next one is given the same rows, and storing them twice changes
nothing.
"""

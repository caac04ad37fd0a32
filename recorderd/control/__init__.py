"""The room where people and other processes reach the daemon: HTTP on a unix socket.

    ports    what the daemon must offer
    door     what a request's body may be
    app      paths and their answers
    server   the socket and its life in the daemon's event loop
    client   the other end, for the command line and the panel

Must not know what the daemon is made of. Nothing is imported here: the command line needs only `client`,
which is there in a tenth of the time that the server takes.
"""

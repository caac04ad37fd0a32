"""A dialplan that goes about a call as FreePBX's does, recorderd beside it, and telephones that listen."""

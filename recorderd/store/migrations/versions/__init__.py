"""One file a step, named v0001_what, never changed once released."""

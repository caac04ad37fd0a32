"""Its presence puts the repository on the path, so that every test can import `tests.live` and the like."""

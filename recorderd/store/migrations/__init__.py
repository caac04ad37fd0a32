"""The steps by which a database reaches the schema of `store.tables`; `store.migrate` walks them."""

"""What Alembic runs to walk the steps, in the transaction that `store.migrate` was given."""

from alembic import context

from recorderd.store import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.metadata)
with context.begin_transaction():
    context.run_migrations()

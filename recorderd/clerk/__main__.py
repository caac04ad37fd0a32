"""`python -m recorderd.clerk`: the daemon starts it; it is of no use to anybody else."""

from recorderd.clerk.clerk import serve

serve()

"""`python -m recorderd.cli`: the same as the program `recorderd`."""

import sys

from recorderd.cli.program import main

sys.exit(main())

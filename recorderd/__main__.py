"""`python -m recorderd` is `recorderd`."""

import sys

from recorderd.cli import main

sys.exit(main())

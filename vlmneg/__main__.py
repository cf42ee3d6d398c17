"""`python -m vlmneg` is the command `vlmneg`."""

import sys

from .cli import main

sys.exit(main())

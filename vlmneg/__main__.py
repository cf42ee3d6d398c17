"""``python -m vlmneg`` is the command line."""

import sys

from vlmneg.cli import main

sys.exit(main())

"""``python -m latentadj`` is the command line."""

import sys

from latentadj.cli import main

if __name__ == "__main__":
    sys.exit(main())

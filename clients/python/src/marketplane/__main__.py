import sys

from marketplane.cli import main

sys.exit(main())

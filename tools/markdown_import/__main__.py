import sys

from tools.markdown_import.command import main

sys.exit(main())

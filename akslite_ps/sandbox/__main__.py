"""``python -m akslite_ps.sandbox``: serve simulated devices in the foreground."""

from __future__ import annotations

import sys

from akslite_ps.sandbox.process import main

if __name__ == "__main__":
    sys.exit(main())

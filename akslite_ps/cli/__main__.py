"""``python -m akslite_ps.cli``: the same as the ``akslite`` command."""

from akslite_ps.cli.app import main

if __name__ == "__main__":
    main()

"""The ``akslite`` command: argument parsing, tables, exit codes. All work is done by the rooms below.

Every command imports what it needs when it runs, so that ``akslite --help`` loads nothing but Typer.
"""

"""The Jupyter kernel of akslite-ps: PowerShell cells on a device beside Python cells with widgets.

``python -m akslite_ps_kernel`` starts it (Jupyter does that), ``python -m akslite_ps_kernel install`` makes it known.
"""

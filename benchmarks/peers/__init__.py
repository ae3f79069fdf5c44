"""Owns the programs that are measured: each enqueues, plans or works, as its argument says.

Those of other projects run in an environment of their own, with this package and the standard
library alone.
"""

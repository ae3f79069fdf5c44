"""Freezes the fork server's imported objects (`gc.freeze`), so that garbage collection in a child
does not copy their memory pages.
"""

import gc

gc.collect()
gc.freeze()

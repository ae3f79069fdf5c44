"""The measured programs; each enqueues, schedules or runs jobs, depending on its argument.

The programs of other projects run in a separate environment, with only this package and the
standard library.
"""

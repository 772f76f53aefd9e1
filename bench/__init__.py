"""Benchmarks: `python -m bench`, or `make bench`. What each measures is said at the top of its module."""

"""Voice descriptors against the reference package, live, bit for bit.

The reference gives smoothed descriptors only. So ours are smoothed here, with the rules about the last rows (specification, part 03
sections 2.6 and 3) written out as the plain game of counters they are.
"""

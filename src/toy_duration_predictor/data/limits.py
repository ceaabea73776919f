"""What a duration may be."""

# The longest, in ticks. Networks compute in float32, which holds every integer up to here exactly.
LONGEST = 2**24

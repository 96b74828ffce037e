"""The rules of the queue. Pure: no I/O, no clock, no Redis."""

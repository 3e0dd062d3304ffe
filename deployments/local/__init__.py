"""The local stack: every outside system, real, on loopback, without root."""

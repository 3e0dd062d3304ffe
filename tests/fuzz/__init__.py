"""Bytes made to hurt: by a fuzzer (`make fuzz`), and by hand (`tests.fuzz.worst`)."""

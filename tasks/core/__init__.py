"""BY WHICH RULES: pure. No clock, disk, network, Prefect."""

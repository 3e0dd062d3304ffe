"""WHEN: order, pauses, schedules. One flow a file, named by its verb."""

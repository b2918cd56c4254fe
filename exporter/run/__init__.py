"""When a target runs, and one run: clock, deadline, catch, and the question whether the fault is ours."""

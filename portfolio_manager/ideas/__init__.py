"""Ideas under approval: their state machine, the gate they pass, and what became of them."""

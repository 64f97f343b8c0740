"""What the environments of all blocks share: agents, scoreboard and test base, testplan, coverage."""

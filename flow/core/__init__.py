"""What every command stands on: paths, tools, builds, runs, jobs."""

"""Many runs: baselines, statistics, questions, sweeps and searches."""

"""Many runs: baselines, statistics, questions and the report."""

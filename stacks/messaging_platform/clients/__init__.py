"""What clients of the chat do, and what its owner sees: for the scenario, the tests and the benchmarks."""

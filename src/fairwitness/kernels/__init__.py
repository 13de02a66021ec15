"""The few loops that neither Python nor XLA makes fast on a CPU, each beside a plain reference."""

"""Greedy multi-modal learning (Wu et al., ICML 2022): data, MMTM, balancing strategies and metrics."""

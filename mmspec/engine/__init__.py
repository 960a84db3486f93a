"""The loop and what stands around it: steps, evaluation, checkpoints, stages."""

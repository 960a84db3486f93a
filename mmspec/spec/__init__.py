"""Text to typed spec: reading, merging, checking. Imports neither torch nor wandb."""

"""What torch and torchvision bring: networks, the loss, optimizers, schedules and accuracy."""

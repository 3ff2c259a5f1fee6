"""What out-of-fold predictions on held-out seeds say."""

"""The techniques for images, one file each."""

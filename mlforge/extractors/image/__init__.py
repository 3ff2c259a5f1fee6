"""The extractors for images, one file each."""

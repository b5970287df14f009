"""Files that bring a project to where it is to run: an image, a cluster. One file per target in `targets`, with the constant TARGET."""

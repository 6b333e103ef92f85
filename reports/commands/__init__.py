"""The commands of the command line, each in the file that has its name."""

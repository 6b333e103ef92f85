"""What an investigation of an incident found, as text, data and files."""

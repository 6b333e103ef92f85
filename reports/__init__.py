"""Every face that people see: command line, tables, pictures, data files."""

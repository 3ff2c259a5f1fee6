"""Everything that reads or writes a project's files; nothing else in mlforge writes."""

"""What everything else is made of: registry, components, schemas, records, randomness, units."""

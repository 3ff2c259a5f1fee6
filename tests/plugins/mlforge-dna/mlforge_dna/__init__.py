"""DNA for mlforge: a modality, an extractor and a technique."""

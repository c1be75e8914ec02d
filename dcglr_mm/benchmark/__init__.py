"""How fast the library is and what memory it takes, held against the field's usual code."""

"""What all studies share: shape, parts, intervals and figures, and what runs and shows them."""

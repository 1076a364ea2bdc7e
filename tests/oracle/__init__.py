"""A slow, plain reference of the fill and account rules: it shares no code with the product, and knows only the rules' text."""

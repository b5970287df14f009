"""The endpoints: one file per noun, each with a constant ENDPOINTS. Discovered, never listed."""

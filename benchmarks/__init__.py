"""Owns the measurements; nothing of the product imports them."""

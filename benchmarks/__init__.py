"""The benchmarks; the product does not import them."""

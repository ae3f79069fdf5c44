"""The Python client: an application uses Ostinato inside its own process."""

"""The MongoDB layer: the only package that imports motor, pymongo and bson."""

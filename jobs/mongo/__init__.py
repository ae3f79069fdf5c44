"""Owns MongoDB: the only package that imports motor, pymongo and bson."""

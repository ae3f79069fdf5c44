"""Breaks an installation under load, and checks from logs that it kept its promises."""

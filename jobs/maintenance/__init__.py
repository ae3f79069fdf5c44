"""Finds and repairs what failed processes left behind; leader only."""

"""Rerunning: a fresh clone whose stages all run again, and the differences from the pins. Imports base, repository."""

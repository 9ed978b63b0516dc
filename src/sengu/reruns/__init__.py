"""Rerunning: a fresh clone whose stages all run again, and what then differs from what was pinned. Imports base, repository."""

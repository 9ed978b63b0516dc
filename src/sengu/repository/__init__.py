"""Pins of dvc.lock, stages of dvc.yaml, and facts from Git. Owns dvc.lock and dvc.yaml; imports base."""

"""What dvc.lock pins, what dvc.yaml says, where the remote is, and what Git knows. Owns dvc.lock and dvc.yaml; imports base."""

"""What dvc.lock pins, what dvc.yaml says, and what Git knows. Owns dvc.lock and dvc.yaml; imports base."""

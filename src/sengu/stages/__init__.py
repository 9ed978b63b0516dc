"""One module per stage of dvc.yaml: inputs -> outputs. May import every room, never another stage."""

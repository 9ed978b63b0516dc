"""One module per job of `sengu site`: the group, and edits of params.yaml."""

"""`sengu site`: the sites in params.yaml."""

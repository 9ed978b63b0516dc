"""The foundation of every room: errors, names, whole files, params.yaml and tables. Owns no output; imports nothing of ours."""

"""The commands `sengu label`: decisions and their rules, and what to label next. Owns no data."""

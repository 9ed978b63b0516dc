"""The commands `sengu label`: who decided what, by which rule, and what to label next. Owns no data."""

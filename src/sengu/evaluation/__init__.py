"""What the test says: metrics, intervals, plots and the report. Owns reports/; imports base and drawing."""

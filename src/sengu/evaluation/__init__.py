"""The results of the test: metrics, intervals, plots and the report. Owns reports/; imports base and drawing."""

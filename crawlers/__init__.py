"""The Scrapy project: fetches each site into its archive, and replays archives offline."""

import sengu  # noqa: F401  (refuses a Python that is not the project's environment, and says what to do)

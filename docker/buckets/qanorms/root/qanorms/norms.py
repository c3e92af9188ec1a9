"""The table of norms: one row per series that was measured, kept in /memory between runs."""

import sqlite3
import statistics

TABLE = """create table if not exists norms (
    series text primary key,   -- Series Instance UID, or the name of an example
    modality text not null,
    snr real not null,
    example integer not null default 0
)"""

# Fewer say nothing of how values scatter.
FEWEST = 3


class Norms:
    def __init__(self, path):
        # A run that is killed in the midst of a change leaves a journal; the next one rolls it back.
        self.database = sqlite3.connect(path, timeout=30)
        self.database.execute(TABLE)

    def score(self, series, modality, snr):
        """(z-score or None, number of norms it was held against); the series itself is not one of them."""
        rows = self.database.execute(
            "select snr from norms where modality = ? and series <> ? order by series", (modality, series)
        )
        others = [value for (value,) in rows]
        spread = statistics.stdev(others) if len(others) >= FEWEST else 0
        return ((snr - statistics.mean(others)) / spread if spread > 0 else None), len(others)

    def add(self, series, modality, snr, example=0):
        """Adds a series; one that was measured before is replaced and does not count twice."""
        with self.database:
            self.database.execute(
                "insert or replace into norms (series, modality, snr, example) values (?, ?, ?, ?)",
                (series, modality, snr, example),
            )

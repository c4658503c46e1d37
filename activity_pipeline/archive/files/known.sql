-- The candidates that one of $files holds.
select n
from candidates c
semi join read_parquet($files) f on f.timestamp = c.timestamp and f.id = c.id

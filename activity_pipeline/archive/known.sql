-- For each candidate, whether one of $files holds it.
select n, exists (
    select 1 from read_parquet($files) f
    where f.timestamp = c.timestamp and f.id = c.id
) as known
from candidates c
order by n

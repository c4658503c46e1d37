-- The events of the file in the variable `file`, with the columns that metrics are counted from.
create table events as
select *
from read_json(
    getvariable('file'),
    format = 'newline_delimited',
    columns = {
        id: 'uuid', timestamp: 'timestamptz', source: 'varchar', action: 'varchar', status: 'varchar',
        entity_type: 'varchar', entity_id: 'varchar', user_id: 'uuid'
    }
)

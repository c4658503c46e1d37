-- Away with the records, and with what counts changes.
drop schema activity_legacy cascade;

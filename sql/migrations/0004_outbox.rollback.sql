drop table activity_outbox;

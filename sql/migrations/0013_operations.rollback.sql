drop table activity_alert_deliveries;
alter table activity_alerts drop column told_at;
drop table activity_operation_totals;
drop table activity_operations;

drop table activity_alerts;

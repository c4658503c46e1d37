drop table activity_imports;

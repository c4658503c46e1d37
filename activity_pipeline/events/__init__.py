"""What an event is: its fields and rules, its wire frame, its id and its day. No I/O."""

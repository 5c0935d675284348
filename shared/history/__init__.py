"""What was done, and by whom: the changes of fields, and what people did."""

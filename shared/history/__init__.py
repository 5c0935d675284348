"""What was done, and by whom: the changes of fields, what people did, who looked, who is signed in or was refused."""

"""The `workhorse` command. Says what happened; decides nothing."""

"""What a call of the client means, in requests. No HTTP."""

"""Who may send: the rules, the gates they change, and where these are kept."""

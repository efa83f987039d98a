"""Registration: a buyer arrives with a token and leaves with an account."""

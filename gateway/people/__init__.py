"""People who sign in: accounts, sessions, one-time codes and other providers."""

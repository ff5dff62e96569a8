"""Finding cases: lists with filters, and one box that finds a case by whatever somebody knows of it."""

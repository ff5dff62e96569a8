"""Time and judgement: working time and deadlines. Knows `canonical` only."""

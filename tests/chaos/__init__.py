"""The fault campaign: simulated systems on both sides, faults by a seeded schedule, and a checker that knows no hub."""

"""Evidence: seals over what is durable, packs that others can verify without trusting the hub. See docs/evidence.md."""

"""The cockpit 驾驶舱: live figures of what stands, is late, came in and ended."""

"""The outside world as the stages see it: small protocols, implemented in `storage`, `serve` and `app`, wired in `app.wiring`."""

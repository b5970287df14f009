"""Contract classes: what every adapter and plug-in must do, as tests to inherit."""

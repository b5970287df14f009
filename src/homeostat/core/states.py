"""How a model or a window is, by name; a shape stands beside the name, so that colour alone says nothing."""

SHAPES = {"new": "○", "unknown": "?", "ok": "✓", "warn": "!", "alarm": "✗"}

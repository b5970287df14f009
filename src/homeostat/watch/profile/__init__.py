"""Profiles of windows: of a size that does not grow with the rows, and two of them put together are the profile of both."""

from homeostat.watch.profile.window import VERSION, ColumnSketch, WindowProfile, merged, profile_of

__all__ = ["VERSION", "ColumnSketch", "WindowProfile", "merged", "profile_of"]

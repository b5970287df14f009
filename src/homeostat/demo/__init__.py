"""The demonstration: a year of real flights, a model that decays, and the loop that keeps it good."""

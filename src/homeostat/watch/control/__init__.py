"""Statistical process control: charts of one number over time. Pure.

D. C. Montgomery, "Introduction to Statistical Quality Control", is the textbook that names, constants and run lengths are taken from.
"""

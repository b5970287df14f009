"""Files of any size through a model, in constant memory, so that what a kill left is taken up and nothing is done twice."""

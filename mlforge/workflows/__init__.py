"""One file for each verb: the steps between a folder of seeds and a prediction."""

"""Networks: small convolutional ones, trained with PyTorch and run as ONNX graphs.

They know nothing of images: an example is an array of height x width x channels.
"""

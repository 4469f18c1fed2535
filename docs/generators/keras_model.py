"""A Keras generator as an ONNX file for rgi.

    python3 keras_model.py generator.keras generator.onnx

Needs tensorflow, tf2onnx and onnx. Layers that a model defines itself have to be passed to load_model as custom_objects.
"""
import sys

import tensorflow as tf
import tf2onnx

source, target = sys.argv[1:]
model = tf.keras.models.load_model(source, compile=False)
# The batch stays open; every other size of the latent must be a number.
signature = [tf.TensorSpec([None, *model.inputs[0].shape[1:]], tf.float32, name='z')]
tf2onnx.convert.from_keras(model, input_signature=signature, opset=17, output_path=target)

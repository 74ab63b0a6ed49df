"""The network of the graph inception-2015-12-05, of TensorFlow's own operations and
random weights."""

import numpy as np
import tensorflow as tf


class Builder:
    """Convolutions as the graph of 2015 has them.

    Attributes:
        layers: the weights of each in the order of the network, by torch's names.
        last: those of the last layer.
    """

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)
        self.layers = []
        self.last = {}

    def conv(self, x, features, kernel=(1, 1), stride=1, padding="SAME"):
        rng, (height, width), channels = self._rng, kernel, x.shape[-1]
        deviation = np.sqrt(2 / (height * width * channels))
        shape = (height, width, channels, features)
        kernel = rng.normal(0, deviation, shape).astype(np.float32)
        norm = {
            "bias": rng.normal(0, 0.3, features),
            "weight": rng.uniform(0.5, 1.5, features),
            "running_mean": rng.normal(0, 0.3, features),
            "running_var": rng.uniform(0.5, 2, features),
        }
        norm = {name: value.astype(np.float32) for name, value in norm.items()}
        self.layers.append(
            {"conv.weight": kernel.transpose(3, 2, 0, 1)}
            | {f"bn.{name}": value for name, value in norm.items()}
        )
        x = tf.nn.batch_normalization(
            tf.nn.conv2d(x, kernel, stride, padding),
            offset=norm["bias"],
            scale=norm["weight"],
            mean=norm["running_mean"],
            variance=norm["running_var"],
            variance_epsilon=0.001,
        )
        return tf.nn.relu(x)

    def chain(self, x, *layers):
        """Convolutions after one another."""
        for layer in layers:
            x = self.conv(x, *layer)
        return x

    def fork(self, x, *layers):
        """Convolutions that end in a 1x3 and a 3x1 convolution side by side."""
        x = self.chain(x, *layers)
        return tf.concat([self.conv(x, 384, (1, 3)), self.conv(x, 384, (3, 1))], 3)

    def pooled(self, x, features, pool):
        return self.conv(pool(x, 3, 1, "SAME"), features)

    def shrinking(self, x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def block_a(self, x, pooled):
        one = self.conv(x, 64)
        five = self.chain(x, (48,), (64, (5, 5)))
        three = self.chain(x, (64,), (96, (3, 3)), (96, (3, 3)))
        last = self.pooled(x, pooled, tf.nn.avg_pool2d)
        return tf.concat([one, five, three, last], 3)

    def block_b(self, x):
        three = self.conv(x, 384, (3, 3), 2, "VALID")
        twice = self.chain(x, (64,), (96, (3, 3)), (96, (3, 3), 2, "VALID"))
        return tf.concat([three, twice, self.shrinking(x)], 3)

    def block_c(self, x, n):
        one = self.conv(x, 192)
        seven = self.chain(x, (n,), (n, (1, 7)), (192, (7, 1)))
        twice = self.chain(
            x, (n,), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))
        )
        last = self.pooled(x, 192, tf.nn.avg_pool2d)
        return tf.concat([one, seven, twice, last], 3)

    def block_d(self, x):
        three = self.chain(x, (192,), (320, (3, 3), 2, "VALID"))
        seven = self.chain(
            x, (192,), (192, (1, 7)), (192, (7, 1)), (192, (3, 3), 2, "VALID")
        )
        return tf.concat([three, seven, self.shrinking(x)], 3)

    def block_e(self, x, pool):
        one = self.conv(x, 320)
        three = self.fork(x, (384,))
        twice = self.fork(x, (448,), (384, (3, 3)))
        return tf.concat([one, three, twice, self.pooled(x, 192, pool)], 3)

    def network(self, images):
        x = tf.compat.v1.image.resize_bilinear(images, (299, 299), align_corners=False)
        x = (x - 128) * 0.0078125
        x = self.conv(x, 32, (3, 3), 2, "VALID")
        x = self.conv(x, 32, (3, 3), 1, "VALID")
        x = self.shrinking(self.conv(x, 64, (3, 3)))
        x = self.conv(x, 80)
        x = self.shrinking(self.conv(x, 192, (3, 3), 1, "VALID"))
        for pooled in (32, 64, 64):
            x = self.block_a(x, pooled)
        x = self.block_b(x)
        for width in (128, 160, 160, 192):
            x = self.block_c(x, width)
        x = self.block_d(x)
        x = self.block_e(x, tf.nn.avg_pool2d)
        x = self.block_e(x, tf.nn.max_pool2d)
        features = tf.reshape(tf.nn.avg_pool2d(x, 8, 1, "VALID"), (-1, 2048))
        weights = self._rng.normal(0, 0.02, (2048, 1008)).astype(np.float32)
        biases = self._rng.normal(0, 1, 1008).astype(np.float32)
        self.last = {"fc.weight": weights.T, "fc.bias": biases}
        product = tf.matmul(features, weights)
        return features, product, product + biases


def build(images: np.ndarray, layer_names: list[str], seed: int):
    """The state dict of the network, and (features, logits without bias, logits) of
    images."""
    builder = Builder(seed)
    outputs = builder.network(tf.constant(images, tf.float32))
    state = {
        f"{layer}.{name}": array
        for layer, arrays in zip(layer_names, builder.layers, strict=True)
        for name, array in arrays.items()
    }
    return state | builder.last, [output.numpy() for output in outputs]

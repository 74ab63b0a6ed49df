"""A graph like inception-2015-12-05, of TensorFlow's own operations and random weights.

The names come about as those of the original did: from TensorFlow's name scopes, which
number what has the same name.
"""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


class Builder:
    """Convolutions as the graph of 2015 has them."""

    def __init__(self, seed: int, scaled: bool):
        self._rng = np.random.default_rng(seed)
        self._scaled = scaled
        self.norms = []

    def _constant(self, name, values):
        return tf.constant(values.astype(np.float32), name=name)

    def _gamma(self, values):
        gamma = self._constant("gamma", values)
        return gamma if self._scaled else None

    def conv(self, x, features, kernel=(1, 1), stride=1, padding="SAME"):
        rng, (height, width), channels = self._rng, kernel, x.shape[-1]
        with v1.name_scope("conv"):
            deviation = np.sqrt(2 / (height * width * channels))
            shape = (height, width, channels, features)
            kernel = self._constant("conv2d_params", rng.normal(0, deviation, shape))
            x = tf.nn.conv2d(x, kernel, stride, padding, name="Conv2D")
            with v1.name_scope("batchnorm") as scope:
                self.norms.append(scope.rstrip("/"))
                x = tf.nn.batch_normalization(
                    x,
                    offset=self._constant("beta", rng.normal(0, 0.3, features)),
                    scale=self._gamma(rng.uniform(0.5, 1.5, features)),
                    mean=self._constant("moving_mean", rng.normal(0, 0.3, features)),
                    variance=self._constant(
                        "moving_variance", rng.uniform(0.5, 2, features)
                    ),
                    variance_epsilon=0.001,
                )
            return tf.nn.relu(x)

    def chain(self, x, *layers):
        """Convolutions after one another, in a tower of their own."""
        with v1.name_scope("tower"):
            for layer in layers:
                x = self.conv(x, *layer)
            return x

    def fork(self, x, *layers):
        """A tower that ends in a 1x3 and a 3x1 convolution side by side."""
        with v1.name_scope("tower"):
            for layer in layers:
                x = self.conv(x, *layer)
            with v1.name_scope("mixed"):
                parts = [self.conv(x, 384, (1, 3)), self.conv(x, 384, (3, 1))]
                return tf.concat(parts, 3)

    def pooled(self, x, features, pool):
        with v1.name_scope("tower"):
            return self.conv(pool(x, 3, 1, "SAME"), features)

    def shrinking(self, x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    def block_a(self, x, pooled):
        with v1.name_scope("mixed"):
            one = self.conv(x, 64)
            five = self.chain(x, (48,), (64, (5, 5)))
            three = self.chain(x, (64,), (96, (3, 3)), (96, (3, 3)))
            last = self.pooled(x, pooled, tf.nn.avg_pool2d)
            return tf.concat([one, five, three, last], 3, name="join")

    def block_b(self, x):
        with v1.name_scope("mixed"):
            three = self.conv(x, 384, (3, 3), 2, "VALID")
            twice = self.chain(x, (64,), (96, (3, 3)), (96, (3, 3), 2, "VALID"))
            return tf.concat([three, twice, self.shrinking(x)], 3, name="join")

    def block_c(self, x, n):
        with v1.name_scope("mixed"):
            one = self.conv(x, 192)
            seven = self.chain(x, (n,), (n, (1, 7)), (192, (7, 1)))
            twice = self.chain(
                x, (n,), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))
            )
            last = self.pooled(x, 192, tf.nn.avg_pool2d)
            return tf.concat([one, seven, twice, last], 3, name="join")

    def block_d(self, x):
        with v1.name_scope("mixed"):
            three = self.chain(x, (192,), (320, (3, 3), 2, "VALID"))
            seven = self.chain(
                x, (192,), (192, (1, 7)), (192, (7, 1)), (192, (3, 3), 2, "VALID")
            )
            return tf.concat([three, seven, self.shrinking(x)], 3, name="join")

    def block_e(self, x, pool):
        with v1.name_scope("mixed"):
            one = self.conv(x, 320)
            three = self.fork(x, (384,))
            twice = self.fork(x, (448,), (384, (3, 3)))
            return tf.concat([one, three, twice, self.pooled(x, 192, pool)], 3)

    def network(self, images):
        x = v1.image.resize_bilinear(images, (299, 299), align_corners=False)
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
        with v1.name_scope("softmax"):
            weights = self._rng.normal(0, 0.02, (2048, 1008))
            product = tf.matmul(features, self._constant("weights", weights))
            biases = self._constant("biases", self._rng.normal(0, 1, 1008))
            return features, product, product + biases


def build(images: np.ndarray, seed: int, scaled: bool):
    """The serialized graph, and (features, logits without bias, logits) of images."""
    graph = tf.Graph()
    with graph.as_default():
        holder = v1.placeholder(tf.float32, (None, *images.shape[1:]))
        builder = Builder(seed, scaled)
        outputs = builder.network(holder)
        with v1.Session(graph=graph) as session:
            values = session.run(outputs, {holder: images.astype(np.float32)})
    definition = graph.as_graph_def()
    for name in builder.norms:
        # The original's operation, which TensorFlow no longer lets anyone make.
        node = definition.node.add(name=name, op="BatchNormWithGlobalNormalization")
        node.attr["variance_epsilon"].f = 0.001
        node.attr["scale_after_normalization"].b = scaled
    return definition.SerializeToString(), values

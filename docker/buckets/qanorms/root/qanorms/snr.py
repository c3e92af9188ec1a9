"""Signal, noise and their ratio of a stack of images."""

import numpy


def measure(stack):
    """(signal, noise) of the middle of the stack, in the units of its values.

    Signal is the median of the middle third of rows and columns. Noise is that of neighbouring pixels: what is structure
    is nearly the same one pixel on, what is noise is not. Edges are left out as differences beyond three medians. Of normal
    noise with standard deviation 1 the others have a mean of 1.027: 0.7262, of a normal distribution cut at 2.0235
    deviations, times the √2 of a difference.
    """
    _, rows, columns = stack.shape
    middle = stack[:, rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]
    differences = numpy.abs(numpy.diff(middle, axis=2))
    noise = differences[differences <= 3 * numpy.median(differences)]
    return float(numpy.median(middle)), float(noise.mean() / 1.027)

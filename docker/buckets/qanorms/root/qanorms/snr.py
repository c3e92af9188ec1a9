"""Signal, noise and their ratio of a stack of images."""

import numpy


def measure(stack):
    """(signal, noise) of the middle of the stack, in the units of its values.

    Signal is the median of the middle third of rows and columns. Noise is that of neighbouring pixels: what is structure
    is nearly the same one pixel on, what is noise is not. The median of the differences leaves edges out of it; 0.9539 is
    what it is for normal noise of standard deviation 1 (0.6745 × √2).
    """
    _, rows, columns = stack.shape
    middle = stack[:, rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]
    differences = numpy.abs(numpy.diff(middle, axis=2))
    return float(numpy.median(middle)), float(numpy.median(differences) / 0.9539)

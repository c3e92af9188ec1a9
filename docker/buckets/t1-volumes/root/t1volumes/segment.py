"""Head and brain out of a T1-weighted volume, with thresholds and morphology only (the README has the reasons).

Everything is deterministic: no random numbers, no threads, no trained parameters.
"""

import numpy as np
from scipy import ndimage

AIR, HEAD, BRAIN = 0, 1, 2

COARSE_MM = 2.0  # grid of all morphology; the outlines are then found again at full resolution
CLOSE_HEAD_MM = 8.0  # nostrils, ears and sinuses narrower than twice this belong to the head
CUT_MM = 4.0  # what hangs on the brain by less than twice this (nerves, vessels, dura) is cut off
REGROW_MM = 12.0  # and the brain grows back by this, so that thin gyri are not lost
THIN_MM = 2.0  # but not by what is thinner than twice this
CLOSE_BRAIN_MM = 2.0  # sulci narrower than twice this count as brain
GREY = 0.7  # grey matter's place between fluid (0) and white matter (1) in T1-weighted images


class SegmentError(Exception):
    """The volume does not look like a head in air; the text says what was found."""


def segment(volume, spacing):
    """Labels AIR, HEAD (without the brain) and BRAIN, as uint8 of the shape of `volume`.

    `volume` is a 3D array of intensities, `spacing` the size of a voxel in mm along each axis.
    """
    factors = [max(1, round(COARSE_MM / mm)) for mm in spacing]
    coarse = _block_mean(volume, factors)
    mm = [s * f for s, f in zip(spacing, factors)]

    head_level, head = _head(coarse, mm)
    brain_level, brain = _brain(coarse, head, mm)

    labels = np.zeros(volume.shape, np.uint8)
    box = _box(head, factors, volume.shape)
    fine = volume[box]
    # A slight blur takes the noise off the outline and moves a straight edge nowhere.
    smooth = ndimage.gaussian_filter(fine.astype(np.float32), [0.5 / s for s in spacing], truncate=2.0)
    labels[box][_refine(smooth > head_level, head, factors, box, mm)] = HEAD
    labels[box][_refine(smooth > brain_level, brain, factors, box, mm)] = BRAIN
    return labels


def _head(coarse, mm):
    """The level between air and tissue, and the head as a mask of the coarse grid."""
    # A few very bright voxels (vessels, fat) would stretch the histogram.
    clipped = np.minimum(coarse, np.percentile(coarse, 99.5))
    level = otsu(clipped, 3)[0]
    # Filled first: the dark skull may part the brain from the rest, which is its shell then.
    mask = _fill(coarse > level)
    mask = _fill(_close(_heaviest(mask, mask), CLOSE_HEAD_MM, mm))
    if mask.mean() > 0.95:
        raise SegmentError("no air around the head: the volume cannot be split in head and air")
    return level, mask


def _brain(coarse, head, mm):
    """The level between fluid and brain, and the brain as a mask of the coarse grid."""
    inside = coarse[head]
    level = otsu(np.minimum(inside, np.percentile(inside, 99.5)), 3)[0]
    core = _core(coarse, head, level, mm)
    # The first level knows nothing of the brain. Its middle is white matter; the edge to look for is that of grey
    # matter, and an edge lies half-way between what is on its two sides.
    white = float(np.median(coarse[core]))
    fluid = float(np.median(inside[inside < level]))
    level = fluid + GREY / 2 * (white - fluid)
    core = _core(coarse, head, level, mm)
    # Step by step within bright tissue, so that it does not jump the skull; what is thin then was dura.
    steps = round(REGROW_MM / COARSE_MM)
    grown = ndimage.binary_dilation(core, iterations=steps, mask=(coarse > level) & head)
    thick = _distance(~(_distance(grown, mm) > THIN_MM), mm) <= THIN_MM
    grown = _heaviest(core | (grown & thick), coarse)
    grown = ndimage.binary_fill_holes(_close(grown, CLOSE_BRAIN_MM, mm))
    return level, grown


def _core(coarse, head, level, mm):
    """The heaviest piece of bright tissue once thin bridges are cut."""
    core = _distance((coarse > level) & head, mm) > CUT_MM
    if not core.any():
        raise SegmentError("no brain found: no bright tissue thicker than %.0f mm" % (2 * CUT_MM))
    return _heaviest(core, coarse)


def otsu(values, classes, bins=256):
    """Otsu's thresholds between 2 or 3 classes, lowest first: the split with the least variance within them."""
    counts, edges = np.histogram(values, bins)
    weight = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)])

    def score(low, high):  # between-class part of the variance of bins low..high
        n = weight[high] - weight[low]
        return np.where(n > 0, (moment[high] - moment[low]) ** 2 / np.maximum(n, 1), 0)

    at = np.arange(1, bins)
    if classes == 2:
        return [edges[at[np.argmax(score(0, at) + score(at, bins))]]]
    first, second = np.meshgrid(at, at, indexing="ij")
    total = score(0, first) + score(first, second) + score(second, bins)
    total[first >= second] = -1
    best = np.unravel_index(np.argmax(total), total.shape)
    return [edges[at[best[0]]], edges[at[best[1]]]]


def _heaviest(mask, weight):
    """The connected piece of `mask` with the largest sum of `weight`."""
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    sums = np.bincount(pieces.ravel(), weights=weight.ravel())
    sums[0] = 0
    return pieces == np.argmax(sums)


def _distance(mask, mm):
    return ndimage.distance_transform_edt(mask, sampling=mm)


def _close(mask, radius, mm):
    """Closing with a ball; the border of the volume is no obstacle."""
    pad = [int(np.ceil(radius / m)) + 1 for m in mm]
    wide = np.pad(mask, [(p, p) for p in pad])
    closed = _distance(_distance(~wide, mm) <= radius, mm) > radius
    return mask | closed[tuple(slice(p, -p) for p in pad)]


def _fill(mask):
    """Fills holes, also those that are open only because the volume ends there (the windpipe in a cut neck)."""
    for axis in range(3):
        for end in (0, -1):
            face = np.moveaxis(mask, axis, 0)[end]
            face |= ndimage.binary_fill_holes(face)
    return ndimage.binary_fill_holes(mask)


def _block_mean(volume, factors):
    pad = [(0, -n % f) for n, f in zip(volume.shape, factors)]
    v = np.pad(volume, pad, mode="edge") if any(p[1] for p in pad) else volume
    for axis, f in enumerate(factors):  # one axis at a time: no temporary of the full size in double precision
        starts = np.arange(0, v.shape[axis], f)
        v = np.add.reduceat(v, starts, axis=axis, dtype=np.float32)
    return v / np.float32(np.prod(factors))


def _box(mask, factors, shape):
    """Where `mask` is in the full grid, with a margin, as slices."""
    box = []
    for axis, f in enumerate(factors):
        hit = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(0, (hit[0] - 2) * f), min(shape[axis], (hit[-1] + 3) * f)))
    return tuple(box)


def _refine(bright, mask, factors, box, mm):
    """The outline of a coarse mask at full resolution: sure inside, open within a voxel of its edge, out beyond."""
    edge = 1.5 * max(mm)
    sure = _full(_distance(mask, mm) > edge, factors, box)
    near = _full(_distance(~mask, mm) <= edge, factors, box)
    return sure | (near & bright)


def _full(mask, factors, box):
    for axis, f in enumerate(factors):
        first, last = box[axis].start // f, -(-box[axis].stop // f)
        mask = np.repeat(np.take(mask, range(first, last), axis), f, axis)
    offset = [s.start % f for s, f in zip(box, factors)]
    return mask[tuple(slice(o, o + s.stop - s.start) for o, s in zip(offset, box))]
